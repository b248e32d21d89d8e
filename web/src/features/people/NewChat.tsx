import { ArrowLeft, UserPlus, Users } from "lucide-react";
import { useState } from "react";
import type { AccountID, Person, Room } from "../../core/api.gen.ts";
import type { Result } from "../../core/core.ts";
import { useText } from "../../i18n/text.ts";
import type { PeopleList } from "../../model/people.ts";
import { matching } from "../../model/rooms.ts";
import type { Snapshots } from "../../model/store.ts";
import { useSnapshot } from "../../model/useSnapshot.ts";
import { Button, IconButton } from "../../ui/Button.tsx";
import { Dialog } from "../../ui/Dialog.tsx";
import { Field } from "../../ui/Field.tsx";
import { PersonPicker, type Pickable } from "../../ui/PersonPicker.tsx";
import css from "./NewChat.module.css";

// Makes is the part of the model that starts rooms.
export interface Makes {
  openDirect(person: AccountID): Promise<Result<Room>>;
  createGroup(name: string, members: readonly AccountID[]): Promise<Result<Room>>;
}

type PickablePerson = Pickable & { readonly id: AccountID };
type Step = "person" | "members" | "name";

// NewChat starts a chat with one person, or a group in two steps.
// biome-ignore lint/style/noDefaultExport: React.lazy asks for it
export default function NewChat({
  people,
  makes,
  onOpen,
  onInvite,
  onClose,
}: {
  people: Snapshots<PeopleList>;
  makes: Makes;
  onOpen: (room: Room) => void;
  onInvite: (() => void) | undefined; // for who may
  onClose: () => void;
}) {
  const t = useText();
  const { people: all } = useSnapshot(people);
  const [step, setStep] = useState<Step>("person");
  const [query, setQuery] = useState("");
  const [chosen, setChosen] = useState<ReadonlyMap<string, PickablePerson>>(new Map());
  const [name, setName] = useState("");
  const [busy, setBusy] = useState(false);
  const [wrong, setWrong] = useState<string>();

  const others = all.filter((p) => !p.me);
  const pickable = (p: Person): PickablePerson => ({
    id: p.id,
    name: p.me ? t("new.you") : p.name,
    online: p.online && !p.me,
    note: p.me ? undefined : p.shut ? t("people.shut") : p.admin ? t("new.admin") : undefined,
    self: p.me,
  });
  // Notes to oneself come last among the single people, and not into groups; nor
  // does anybody whose account is shut.
  const candidates = (step === "person" ? [...others, ...all.filter((p) => p.me)] : others.filter((p) => !p.shut)).map(
    pickable,
  );
  const found = matching(candidates, query, (p) => p.name);

  const enter = async (start: Promise<Result<Room>>) => {
    setBusy(true);
    const got = await start;
    setBusy(false);
    if (got.ok) onOpen(got.value);
    else setWrong(t(`fail.${got.failure.code}`));
  };
  const toggle = (p: PickablePerson) => {
    const next = new Map(chosen);
    if (!next.delete(p.id)) next.set(p.id, p);
    setChosen(next);
    setQuery("");
  };
  const create = () => {
    if (name.trim() && !busy)
      void enter(
        makes.createGroup(
          name.trim(),
          [...chosen.values()].map((p) => p.id),
        ),
      );
  };

  const failed = wrong && (
    <p className={css.wrong} role="alert">
      {wrong}
    </p>
  );

  if (step === "person") {
    return (
      <Dialog title={t("new.title")} onClose={onClose} size="tall" bare>
        {failed}
        <PersonPicker
          people={found}
          query={query}
          onQuery={setQuery}
          onPick={(p) => void enter(makes.openDirect(p.id))}
          empty={t("new.nobody")}
        >
          {!query && others.length > 0 && (
            <button type="button" className={css.group} onClick={() => setStep("members")}>
              <span>
                <Users size={21} aria-hidden="true" />
              </span>
              {t("new.group")}
            </button>
          )}
          {!query && onInvite && (
            <button type="button" className={css.group} onClick={onInvite}>
              <span>
                <UserPlus size={21} aria-hidden="true" />
              </span>
              {t("settings.invite")}
            </button>
          )}
          {!query && others.length === 0 && <p className={css.alone}>{t(onInvite ? "new.alone" : "new.aloneAsk")}</p>}
        </PersonPicker>
      </Dialog>
    );
  }
  const back = (to: Step) => (
    <IconButton label={t("new.back")} size={36} onClick={() => setStep(to)}>
      <ArrowLeft size={20} />
    </IconButton>
  );
  if (step === "members") {
    return (
      <Dialog
        title={t("new.groupTitle")}
        onClose={onClose}
        size="tall"
        bare
        start={back("person")}
        foot={
          <Button look="main" wide disabled={chosen.size === 0} onClick={() => setStep("name")}>
            {t("new.next")}
          </Button>
        }
      >
        <PersonPicker
          people={found}
          query={query}
          onQuery={setQuery}
          chosen={chosen}
          onPick={toggle}
          empty={t("new.nobody")}
        />
      </Dialog>
    );
  }
  return (
    <Dialog
      title={t("new.groupTitle")}
      onClose={onClose}
      size="tall"
      start={back("members")}
      foot={
        <Button look="main" wide busy={busy} disabled={!name.trim()} onClick={create}>
          {t("new.create")}
        </Button>
      }
    >
      <form
        className={css.name}
        onSubmit={(e) => {
          e.preventDefault();
          create();
        }}
      >
        <Field
          label={t("new.groupName")}
          hint={t("new.groupNameHint")}
          value={name}
          maxLength={100}
          autoFocus
          autoComplete="off"
          onChange={(e) => setName(e.target.value)}
        />
        {failed}
        <h3>{t("details.members", { n: chosen.size + 1 })}</h3>
        <ul>
          <li>{t("chat.you")}</li>
          {[...chosen.values()].map((p) => (
            <li key={p.id}>{p.name}</li>
          ))}
        </ul>
      </form>
    </Dialog>
  );
}
