import { BellRing, EllipsisVertical, Hand, Link, MicOff, Pin, ShieldCheck, UserMinus } from "lucide-react";
import { useEffect, useState } from "react";
import { Button as AriaButton } from "react-aria-components/Button";
import type { AccountID, CallKnock, CallParticipant, RingState, RoomMember } from "../../core/api.gen.ts";
import type { Result } from "../../core/core.ts";
import { useText } from "../../i18n/text.ts";
import { nameOf } from "../../model/call/gallery.ts";
import type { LiveCall } from "../../model/call/live.ts";
import type { Model } from "../../model/model.ts";
import { useSnapshot } from "../../model/useSnapshot.ts";
import { Avatar } from "../../ui/Avatar.tsx";
import { Button, IconButton } from "../../ui/Button.tsx";
import { Code, CopyButton } from "../../ui/Code.tsx";
import { Dialog } from "../../ui/Dialog.tsx";
import { type Entry, MenuButton } from "../../ui/Menu.tsx";
import css from "./People.module.css";

const rungKeys = {
  ringing: "call.rings",
  declined: "call.rungDeclined",
  busy: "call.rungBusy",
  none: "call.rungNone",
} as const;

// PeoplePane is who is in the call, who could be, and how all can be sure that
// nobody else listens.
export function PeoplePane({ live, model, onSay }: { live: LiveCall; model: Model; onSay: (text: string) => void }) {
  const t = useText();
  const { call, rung, knocks, speakers } = useSnapshot(live.state);
  const [members, setMembers] = useState<readonly RoomMember[]>([]);
  const [link, setLink] = useState<string>();
  const room = live.entry.room.id;
  const count = call?.people.length ?? 0;
  const size = useSnapshot(model.rooms.list).byId.get(room)?.members;
  // biome-ignore lint/correctness/useExhaustiveDependencies: who comes may be somebody new in the group
  useEffect(() => {
    let over = false;
    void model.core.call("room", { room }).then((got) => {
      if (got.ok && !over) setMembers(got.value.members ?? []);
    });
    return () => {
      over = true;
    };
  }, [model, room, count, size]);
  if (!call) return null;

  const complain = (got: Result<object>) => {
    if (!got.ok) onSay(t(`fail.${got.failure.code}`));
  };
  const owner = call.people.some((p) => p.me && p.owner) && live.entry.room.kind === "group";
  const inside = new Set(call.people.map((p) => p.account));
  const outside = members.filter((m) => !m.person.me && !inside.has(m.person.id));
  const ring = async (accounts: readonly AccountID[]) =>
    complain(await model.core.call("ringPeople", { call: call.id, accounts }));

  const entries = (p: CallParticipant): readonly Entry[] => {
    const at = { call: call.id, number: p.number };
    const list: Entry[] = [
      {
        id: "pin",
        label: t("call.doPin"),
        icon: <Pin size={18} />,
        act: () => live.look({ pinned: nameOf({ number: p.number, source: "camera" }) }),
      },
    ];
    if (!owner) return list;
    if (!p.muted || !p.known) {
      list.push({
        id: "mute",
        label: t("call.doMute"),
        icon: <MicOff size={18} />,
        act: async () => complain(await model.core.call("muteInCall", at)),
      });
    }
    if (p.hand) {
      list.push({
        id: "hand",
        label: t("call.doLower"),
        icon: <Hand size={18} />,
        act: async () => complain(await model.core.call("lowerHand", at)),
      });
    }
    list.push({
      id: "remove",
      label: t("call.doRemove"),
      icon: <UserMinus size={18} />,
      bad: true,
      act: async () => complain(await model.core.call("removeFromCall", { call: call.id, account: p.account })),
    });
    return list;
  };

  return (
    <div className={css.pane}>
      {knocks.map((k) => (
        <Knock key={k.account} knock={k} live={live} onSay={onSay} />
      ))}
      <h3>{t("call.inCall", { n: count })}</h3>
      <ul>
        {sorted(call.people).map((p) => (
          <li key={p.number} className={css.person} data-speaks={speakers.includes(p.number) || undefined}>
            <Avatar id={p.account} name={p.name} size={36} />
            <span>
              <strong>{p.me ? t("call.me") : p.name}</strong>
              <small>
                {stateOf(p)
                  .map((key) => t(key))
                  .join(" · ")}
              </small>
              {!p.me && <Volume live={live} who={p} />}
            </span>
            {p.hand > 0 && <Hand size={17} aria-hidden="true" />}
            {p.known && p.muted && <MicOff size={17} aria-hidden="true" />}
            {!p.me && (
              <MenuButton label={t("call.actions", { name: p.name })} entries={entries(p)}>
                <AriaButton className={css.dots ?? ""} aria-label={t("call.actions", { name: p.name })}>
                  <EllipsisVertical size={18} />
                </AriaButton>
              </MenuButton>
            )}
          </li>
        ))}
      </ul>
      {outside.length > 0 && (
        <>
          <h3>{t("call.notIn")}</h3>
          {outside.length > 1 && (
            <Button look="quiet" onClick={() => void ring([])}>
              <BellRing size={17} />
              {t("call.ringAll")}
            </Button>
          )}
          <ul>
            {outside.map(({ person }) => (
              <li key={person.id} className={css.person}>
                <Avatar id={person.id} name={person.name} size={36} online={person.online} />
                <span>
                  <strong>{person.name}</strong>
                  <small role="status">{rungWord(rung.get(person.id)?.how)}</small>
                </span>
                <IconButton
                  label={t("call.ringOne", { name: person.name })}
                  disabled={rung.get(person.id)?.how === "ringing"}
                  onClick={() => void ring([person.id])}
                >
                  <BellRing size={19} />
                </IconButton>
              </li>
            ))}
          </ul>
        </>
      )}
      {owner && (
        <Button
          look="plain"
          wide
          onClick={async () => {
            const got = await model.core.call("callLink", { call: call.id });
            complain(got);
            if (got.ok) setLink(new URL(got.value.link, location.origin).href);
          }}
        >
          <Link size={17} />
          {t("call.invite")}
        </Button>
      )}
      <section className={css.sealed}>
        <h3>
          <ShieldCheck size={17} aria-hidden="true" />
          {t("details.security")}
        </h3>
        <p>{t("call.sealed")}</p>
        {call.code && (
          <>
            <p>{t("call.codeLead")}</p>
            <Code value={call.code} label={t("call.code")} small />
          </>
        )}
      </section>
      {link && (
        <Dialog
          title={t("call.invite")}
          onClose={() => setLink(undefined)}
          foot={<CopyButton text={link} label={t("invite.copy")} look="main" />}
        >
          <p>{t("call.inviteLead")}</p>
          <output className={css.link} aria-label={t("call.link")}>
            {link}
          </output>
        </Dialog>
      )}
    </div>
  );

  function rungWord(how: RingState | undefined): string {
    return how ? t(rungKeys[how]) : "";
  }
}

// Raised hands come first, in the order in which they went up; oneself last.
function sorted(people: readonly CallParticipant[]): readonly CallParticipant[] {
  const rank = (p: CallParticipant) => (p.me ? 2 : p.hand ? 0 : 1);
  return [...people].sort((a, b) => rank(a) - rank(b) || a.hand - b.hand || a.number - b.number);
}

function stateOf(p: CallParticipant) {
  return [
    ...(p.owner ? ["details.owner" as const] : []),
    ...(p.leaf < 0 && !p.me ? ["call.unverified" as const] : []),
    ...(p.away ? ["call.stateAway" as const] : []),
    ...(p.hand ? ["call.stateHand" as const] : []),
    ...(p.known && p.muted ? ["call.stateMuted" as const] : []),
  ];
}

function Volume({ live, who }: { live: LiveCall; who: CallParticipant }) {
  const t = useText();
  const volume = useSnapshot(live.state).volumes.get(who.account) ?? 1;
  return (
    <input
      type="range"
      min={0}
      max={100}
      step={5}
      value={Math.round(volume * 100)}
      aria-label={t("call.volume", { name: who.name })}
      onChange={(e) => live.setVolume(who.account, Number(e.target.value) / 100)}
    />
  );
}

function Knock({ knock, live, onSay }: { knock: CallKnock; live: LiveCall; onSay: (text: string) => void }) {
  const t = useText();
  const [busy, setBusy] = useState(false);
  const answer = (admit: boolean) => async () => {
    setBusy(true);
    const got = await live.answerKnock(knock, admit);
    setBusy(false);
    if (!got.ok) onSay(t(`fail.${got.failure.code}`));
  };
  return (
    <section className={css.knock} aria-label={t("call.knock", { name: knock.name })}>
      <strong>{t("call.knock", { name: knock.name })}</strong>
      <p>{t("call.knockLead", { name: knock.name })}</p>
      <div>
        <Button look="main" busy={busy} onClick={answer(true)}>
          {t("call.admit")}
        </Button>
        <Button look="quiet" disabled={busy} onClick={answer(false)}>
          {t("call.refuse")}
        </Button>
      </div>
    </section>
  );
}
