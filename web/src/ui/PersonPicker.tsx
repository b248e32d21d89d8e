import { Check, X } from "lucide-react";
import { Children, type ReactNode, useState } from "react";
import { Virtualizer } from "virtua";
import { useText } from "../i18n/text.ts";
import { Avatar } from "./Avatar.tsx";
import css from "./PersonPicker.module.css";

export interface Pickable {
  readonly id: string;
  readonly name: string;
  readonly online: boolean;
  readonly note?: string | undefined;
  readonly self?: boolean; // notes to oneself
}

// PersonPicker is a searchable list of people. With chosen one marks several,
// without it a press is the choice.
export function PersonPicker<P extends Pickable>({
  people,
  query,
  onQuery,
  chosen,
  onPick,
  empty,
  children,
}: {
  people: readonly P[]; // already matched against the query
  query: string;
  onQuery: (query: string) => void;
  chosen?: ReadonlyMap<string, P>;
  onPick: (person: P) => void;
  empty: ReactNode;
  children?: ReactNode; // rows before the people
}) {
  const t = useText();
  const [list, setList] = useState<HTMLDivElement | null>(null);
  return (
    <div className={css.picker}>
      <div className={css.search}>
        {chosen && chosen.size > 0 && (
          <ul className={`${css.chips} scroll`} aria-label={t("new.chosen", { n: chosen.size })}>
            {[...chosen.values()].map((p) => (
              <li key={p.id}>
                <button type="button" onClick={() => onPick(p)} aria-label={t("write.remove", { name: p.name })}>
                  {p.name}
                  <X size={14} aria-hidden="true" />
                </button>
              </li>
            ))}
          </ul>
        )}
        <input
          type="text"
          inputMode="search"
          value={query}
          placeholder={t("new.find")}
          aria-label={t("new.find")}
          autoComplete="off"
          spellCheck={false}
          // biome-ignore lint/a11y/noAutofocus: the dialog was opened to find somebody
          autoFocus
          onChange={(e) => onQuery(e.target.value)}
        />
      </div>
      <div className={`${css.list} scroll`} ref={setList} tabIndex={-1}>
        {children}
        {people.length === 0 && <div className={css.empty}>{empty}</div>}
        {list && (
          <Virtualizer scrollRef={{ current: list }} startMargin={58 * Children.toArray(children).length}>
            {people.map((p) => {
              const on = chosen?.has(p.id) ?? false;
              return (
                <button
                  key={p.id}
                  type="button"
                  className={css.person}
                  {...(chosen ? { role: "checkbox", "aria-checked": on } : {})}
                  onClick={() => onPick(p)}
                >
                  <Avatar id={p.id} name={p.name} size={42} online={p.online} shape={p.self ? "self" : "person"} />
                  <span>
                    <strong>{p.name}</strong>
                    {p.note && <small>{p.note}</small>}
                  </span>
                  {chosen && <i data-on={on || undefined}>{on && <Check size={15} strokeWidth={3} />}</i>}
                </button>
              );
            })}
          </Virtualizer>
        )}
      </div>
    </div>
  );
}
