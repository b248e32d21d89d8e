import type { ReactNode } from "react";
import { useText } from "../../i18n/text.ts";
import { Bell } from "../../ui/Bell.tsx";
import css from "./Entry.module.css";

// Card is the frame of every screen before the chats.
export function Card({ title, lead, children }: { title: string; lead?: ReactNode; children?: ReactNode }) {
  const t = useText();
  return (
    <main className={`${css.page} scroll`}>
      <section className={css.card}>
        <div className={css.mark}>
          <Bell size={34} />
        </div>
        <h1>{title}</h1>
        {lead && <p className={css.lead}>{lead}</p>}
        {children}
      </section>
      <p className={css.sealed}>{t("rooms.encrypted")}</p>
    </main>
  );
}
