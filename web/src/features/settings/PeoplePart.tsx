import { ArrowLeft } from "lucide-react";
import { useState } from "react";
import type { AccountID, Person } from "../../core/api.gen.ts";
import type { Core } from "../../core/core.ts";
import { type Text, useText } from "../../i18n/text.ts";
import type { PeopleList } from "../../model/people.ts";
import { matching } from "../../model/rooms.ts";
import type { Snapshots } from "../../model/store.ts";
import { useSnapshot } from "../../model/useSnapshot.ts";
import { Avatar } from "../../ui/Avatar.tsx";
import { Button } from "../../ui/Button.tsx";
import { PersonPicker } from "../../ui/PersonPicker.tsx";
import { PersonActs } from "./PersonActs.tsx";
import css from "./Settings.module.css";

// PeoplePart is for administrators: everybody at the site, and what can be done
// about the account of each.
export function PeoplePart({ core, people }: { core: Pick<Core, "call">; people: Snapshots<PeopleList> }) {
  const t = useText();
  const { people: all, byId } = useSnapshot(people);
  const [query, setQuery] = useState("");
  const [picked, setPicked] = useState<AccountID>();
  const person = picked && byId.get(picked);
  if (!person) {
    const rows = all.map((p) => ({ id: p.id, name: p.name, online: p.online, note: noteOf(t, p) }));
    return (
      <PersonPicker
        people={matching(rows, query, (p) => p.name)}
        query={query}
        onQuery={setQuery}
        onPick={(p) => setPicked(p.id)}
        empty={t("new.nobody")}
      />
    );
  }
  return (
    <div className={`${css.person} scroll`}>
      <div>
        <Button look="quiet" onClick={() => setPicked(undefined)}>
          <ArrowLeft size={18} />
          {t("people.back")}
        </Button>
      </div>
      <div className={css.me}>
        <Avatar id={person.id} name={person.name} size={48} online={person.online} />
        <span>
          <strong>{person.name}</strong>
          <small>{noteOf(t, person)}</small>
        </span>
      </div>
      <PersonActs key={person.id} core={core} person={person} />
    </div>
  );
}

function noteOf(t: Text, p: Person): string | undefined {
  const notes = [p.me ? t("people.you") : "", p.admin ? t("new.admin") : "", p.shut ? t("people.shut") : ""];
  return notes.filter(Boolean).join(" · ") || undefined;
}
