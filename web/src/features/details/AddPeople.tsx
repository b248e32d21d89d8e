import { useState } from "react";
import type { AccountID, Person } from "../../core/api.gen.ts";
import { useText } from "../../i18n/text.ts";
import { matching } from "../../model/rooms.ts";
import { Button } from "../../ui/Button.tsx";
import { Dialog } from "../../ui/Dialog.tsx";
import { PersonPicker, type Pickable } from "../../ui/PersonPicker.tsx";
import css from "./Details.module.css";

type PickablePerson = Pickable & { readonly id: AccountID };

// AddPeople takes people into the group.
export function AddPeople({
  people,
  add,
  onClose,
}: {
  people: readonly Person[];
  add: (members: readonly AccountID[]) => Promise<string | undefined>; // what went wrong
  onClose: () => void;
}) {
  const t = useText();
  const [query, setQuery] = useState("");
  const [chosen, setChosen] = useState<ReadonlyMap<string, PickablePerson>>(new Map());
  const [busy, setBusy] = useState(false);
  const [wrong, setWrong] = useState<string>();
  const found = matching(people, query, (p) => p.name).map(
    (p): PickablePerson => ({ id: p.id, name: p.name, online: p.online }),
  );
  return (
    <Dialog
      title={t("details.add")}
      onClose={onClose}
      size="tall"
      bare
      foot={
        <Button
          look="main"
          wide
          busy={busy}
          disabled={chosen.size === 0}
          onClick={async () => {
            setBusy(true);
            const failed = await add([...chosen.values()].map((p) => p.id));
            setBusy(false);
            if (failed) setWrong(failed);
            else onClose();
          }}
        >
          {chosen.size === 0 ? t("details.add") : t("details.addDo", { n: chosen.size })}
        </Button>
      }
    >
      <p className={css.note}>{t("details.addNote")}</p>
      {wrong && (
        <p className={css.wrong} role="alert">
          {wrong}
        </p>
      )}
      <PersonPicker
        people={found}
        query={query}
        onQuery={setQuery}
        chosen={chosen}
        onPick={(p) => {
          const next = new Map(chosen);
          if (!next.delete(p.id)) next.set(p.id, p);
          setChosen(next);
          setQuery("");
        }}
        empty={people.length === 0 ? t("details.addNobody") : t("new.nobody")}
      />
    </Dialog>
  );
}
