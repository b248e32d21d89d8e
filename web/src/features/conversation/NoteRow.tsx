import { History } from "lucide-react";
import { memo } from "react";
import type { Item } from "../../core/api.gen.ts";
import { changeText } from "../../i18n/changes.ts";
import { useText } from "../../i18n/text.ts";
import css from "./Messages.module.css";

// NoteRow is a line about the room itself: who came and went, its name, and
// where this device's history begins.
export const NoteRow = memo(function NoteRow({ item, rowKey, me }: { item: Item; rowKey: string; me: string }) {
  const t = useText();
  if (item.kind === "start") {
    return (
      <li className={css.start} data-key={rowKey} data-seq={item.seq}>
        <History size={22} aria-hidden="true" />
        <strong>{t("chat.start")}</strong>
        <span>{t("chat.startLead")}</span>
      </li>
    );
  }
  return (
    <li className={css.note} data-key={rowKey} data-seq={item.seq}>
      <span>{item.change ? changeText(t, item.change, me) : item.text}</span>
    </li>
  );
});
