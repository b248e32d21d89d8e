import { type Key, useText } from "../../i18n/text.ts";
import css from "./Settings.module.css";

const parts: readonly (readonly [Key, Key])[] = [
  ["security.seesTitle", "security.sees"],
  ["security.browserTitle", "security.browser"],
  ["security.historyTitle", "security.history"],
  ["security.deviceTitle", "security.device"],
  ["security.deleteTitle", "security.delete"],
];

// SecurityPart says what is protected and, as plainly, what is not.
export function SecurityPart() {
  const t = useText();
  return (
    <div className={css.stack}>
      <p>{t("security.p1")}</p>
      {parts.map(([title, text]) => (
        <div key={title} className={css.group}>
          <h4>{t(title)}</h4>
          <p className={css.lead}>{t(text)}</p>
        </div>
      ))}
    </div>
  );
}
