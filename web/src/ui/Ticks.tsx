import type { ItemState } from "../core/api.gen.ts";
import { type Key, useText } from "../i18n/text.ts";
import css from "./Ticks.module.css";

const words: Record<Exclude<ItemState, "received">, Key> = {
  saved: "state.saved",
  sent: "state.sent",
  delivered: "state.delivered",
  failed: "state.failed",
};

// Ticks says how far a message has come: a clock, one tick, two, or a warning.
export function Ticks({ state }: { state: ItemState }) {
  const t = useText();
  if (state === "received") return null;
  return (
    <span className={css.ticks} data-state={state} role="img" aria-label={t(words[state])} title={t(words[state])}>
      <svg width="18" height="12" viewBox="0 0 18 12" aria-hidden="true">
        {state === "saved" && (
          <>
            <circle cx="11" cy="6" r="4.7" />
            <path d="M11 3.4V6l1.8 1.2" />
          </>
        )}
        {state === "sent" && <path d="M6.4 6.6 9.3 9.5 15.6 2.6" />}
        {state === "delivered" && (
          <>
            <path d="M2.4 6.6 5.3 9.5 11.6 2.6" />
            <path d="M8.7 9.1 9.1 9.5 15.6 2.6" />
          </>
        )}
        {state === "failed" && (
          <>
            <circle cx="11" cy="6" r="4.9" className={css.full} />
            <path d="M11 3.3V6.5M11 8.7V8.75" className={css.over} />
          </>
        )}
      </svg>
    </span>
  );
}
