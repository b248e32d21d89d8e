import {
  Crown,
  EllipsisVertical,
  LogOut,
  MessageCircle,
  Pencil,
  ShieldCheck,
  UserMinus,
  UserPlus,
  X,
} from "lucide-react";
import { useEffect, useMemo, useState } from "react";
import { Button as AriaButton } from "react-aria-components/Button";
import type { AccountID, Person, Room, RoomMember } from "../../core/api.gen.ts";
import type { Result } from "../../core/core.ts";
import { type Key, useText } from "../../i18n/text.ts";
import type { Model } from "../../model/model.ts";
import { useSnapshot } from "../../model/useSnapshot.ts";
import { Avatar } from "../../ui/Avatar.tsx";
import { Button, IconButton } from "../../ui/Button.tsx";
import { Code } from "../../ui/Code.tsx";
import { Confirm } from "../../ui/Dialog.tsx";
import { type Entry, MenuButton } from "../../ui/Menu.tsx";
import { Toast, useToast } from "../../ui/Toast.tsx";
import { AddPeople } from "./AddPeople.tsx";
import css from "./Details.module.css";
import { Details } from "./details.ts";
import { Rename } from "./Rename.tsx";

type Asking = { kind: "remove"; member: RoomMember } | { kind: "leave" } | { kind: "add" } | { kind: "rename" };

// DetailsPane is the right pane: who is here, what one may change, and how the
// room is protected.
// biome-ignore lint/style/noDefaultExport: React.lazy asks for it
export default function DetailsPane({
  model,
  room,
  onClose,
  onPerson,
}: {
  model: Model;
  room: Room;
  onClose: () => void;
  onPerson: (person: AccountID) => void;
}) {
  const t = useText();
  const details = useMemo(() => new Details(model.core, room.id), [model, room.id]);
  useEffect(() => details.listen(), [details]);
  const state = useSnapshot(details.state);
  const people = useSnapshot(model.people.list);
  const [asking, setAsking] = useState<Asking>();
  const [toast, say] = useToast();
  const title = room.self ? t("rooms.self") : room.title;
  const peer = room.peer ? people.byId.get(room.peer) : undefined;
  const group = room.kind === "group";
  const open = room.state === "open";
  const owner = room.role === "owner" && open;

  const words = (got: Result<object>) => (got.ok ? undefined : t(`fail.${got.failure.code}`));
  const act = async (doing: Promise<Result<object>>) => {
    const wrong = words(await doing);
    if (wrong) say(wrong);
    else void details.refresh();
  };

  const actions = ({ person, role }: RoomMember): readonly Entry[] => {
    const member = person.id;
    const entries: Entry[] = [
      { id: "message", label: t("details.message"), icon: <MessageCircle size={18} />, act: () => onPerson(member) },
    ];
    if (!owner) return entries;
    entries.push({
      id: "owner",
      label: t(role === "owner" ? "details.noOwner" : "details.makeOwner"),
      icon: <Crown size={18} />,
      act: () => void act(model.core.call("setOwner", { room: room.id, member, owner: role !== "owner" })),
    });
    entries.push({
      id: "remove",
      label: t("details.remove"),
      icon: <UserMinus size={18} />,
      bad: true,
      act: () => setAsking({ kind: "remove", member: { person, role, devices: 0 } }),
    });
    return entries;
  };

  return (
    <section className={css.pane} aria-label={t("details.title")}>
      <header className={css.head}>
        <h2>{t("details.title")}</h2>
        <IconButton label={t("details.close")} onClick={onClose}>
          <X size={21} />
        </IconButton>
      </header>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scroller must be reachable by keyboard */}
      <div className={`${css.body} scroll`} tabIndex={0}>
        <div className={css.who}>
          <Avatar
            id={room.peer ?? room.id}
            name={title}
            shape={room.self ? "self" : group ? "group" : "person"}
            size={92}
          />
          <h3>{title}</h3>
          {!room.self && (
            <p>
              {group
                ? t("details.members", { n: room.members })
                : t(peer?.shut ? "people.shut" : peer?.online ? "chat.online" : "chat.away")}
            </p>
          )}
          {group && open && (
            <div className={css.acts}>
              <Button look="quiet" onClick={() => setAsking({ kind: "rename" })}>
                <Pencil size={17} />
                {t("details.rename")}
              </Button>
            </div>
          )}
        </div>

        {group && (
          <section className={css.part}>
            <h3>{t("details.members", { n: state?.members.length ?? room.members })}</h3>
            {owner && (
              <button type="button" className={css.add} onClick={() => setAsking({ kind: "add" })}>
                <span>
                  <UserPlus size={20} aria-hidden="true" />
                </span>
                {t("details.add")}
              </button>
            )}
            <ul>
              {(state?.members ?? []).map((m) => (
                <MemberRow
                  key={m.person.id}
                  member={m}
                  now={people.byId.get(m.person.id) ?? m.person}
                  entries={actions(m)}
                  onRemove={owner ? () => setAsking({ kind: "remove", member: m }) : undefined}
                />
              ))}
            </ul>
          </section>
        )}

        <Security state={state} peer={room.kind === "direct" && !room.self ? room.title : undefined} />

        {group && open && (
          <section className={css.part}>
            <button type="button" className={css.leave} onClick={() => setAsking({ kind: "leave" })}>
              <LogOut size={19} aria-hidden="true" />
              {t("details.leave")}
            </button>
          </section>
        )}
      </div>

      {asking?.kind === "remove" && (
        <Confirm
          title={t("details.removeTitle", { name: asking.member.person.name })}
          action={t("details.remove")}
          onClose={() => setAsking(undefined)}
          act={async () =>
            words(await model.core.call("removeMember", { room: room.id, member: asking.member.person.id }))
          }
        >
          <p>{t("details.removeLead", { name: asking.member.person.name })}</p>
        </Confirm>
      )}
      {asking?.kind === "leave" && (
        <Confirm
          title={t("details.leaveTitle", { name: room.title })}
          action={t("details.leave")}
          onClose={() => setAsking(undefined)}
          act={async () => words(await model.core.call("leaveRoom", { room: room.id }))}
        >
          <p>{t("details.leaveLead")}</p>
        </Confirm>
      )}
      {asking?.kind === "add" && (
        <AddPeople
          people={people.people.filter((p) => !p.shut && !state?.members.some((m) => m.person.id === p.id))}
          add={async (members) => words(await model.core.call("addMembers", { room: room.id, members }))}
          onClose={() => setAsking(undefined)}
        />
      )}
      {asking?.kind === "rename" && (
        <Rename
          name={room.named ? room.title : ""}
          rename={async (name) => words(await model.core.call("renameRoom", { room: room.id, name }))}
          onClose={() => setAsking(undefined)}
        />
      )}
      <Toast text={toast} />
    </section>
  );
}

// MemberRow is somebody in the group. Whose account is shut stays in it until an
// owner removes them, so that is offered here.
function MemberRow({
  member: { person, role, devices },
  now,
  entries,
  onRemove,
}: {
  member: RoomMember;
  now: Person; // the same as the directory has it
  entries: readonly Entry[];
  onRemove: (() => void) | undefined; // for owners
}) {
  const t = useText();
  const notes = [
    person.me ? t("details.you") : "",
    role === "owner" ? t("details.owner") : "",
    now.shut ? t("people.shut") : t("details.devices", { n: devices }),
  ];
  return (
    <li className={css.member}>
      <Avatar id={person.id} name={person.name} size={40} online={now.online} />
      <span>
        <strong>{person.name}</strong>
        <small>{notes.filter(Boolean).join(" · ")}</small>
        {now.shut && onRemove && (
          <button type="button" className={css.remove} aria-description={person.name} onClick={onRemove}>
            {t("details.remove")}
          </button>
        )}
      </span>
      {!person.me && (
        <MenuButton label={t("details.actions", { name: person.name })} entries={entries}>
          <AriaButton className={css.dots ?? ""} aria-label={t("details.actions", { name: person.name })}>
            <EllipsisVertical size={18} />
          </AriaButton>
        </MenuButton>
      )}
    </li>
  );
}

function Security({
  state,
  peer,
}: {
  state: { epoch: number; suite: string; code: string } | undefined;
  peer: string | undefined; // in a direct room
}) {
  const t = useText();
  const fact = (key: Key, value: string | number) => (
    <div>
      <dt>{t(key)}</dt>
      <dd>{value}</dd>
    </div>
  );
  return (
    <section className={css.part}>
      <h3>
        <ShieldCheck size={17} aria-hidden="true" />
        {t("details.security")}
      </h3>
      <p className={css.words}>{peer ? t("details.securityDirect", { name: peer }) : t("details.securityLead")}</p>
      {state?.suite.includes("MLKEM") && <p className={css.words}>{t("details.pq")}</p>}
      {state && (
        <details className={css.fold}>
          <summary>{t("details.code")}</summary>
          <p className={css.words}>{t("details.codeLead")}</p>
          {state.code && <Code value={state.code} label={t("details.code")} small />}
          <dl>
            {fact("details.suite", state.suite.replaceAll("_", " "))}
            {fact("details.epoch", state.epoch)}
          </dl>
        </details>
      )}
    </section>
  );
}
