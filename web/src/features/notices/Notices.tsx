import { Bell, ShieldAlert } from "lucide-react";
import type { Notice, NoticeCode } from "../../core/api.gen.ts";
import { noticeText } from "../../i18n/changes.ts";
import { moment } from "../../i18n/format.ts";
import { useText } from "../../i18n/text.ts";
import type { PeopleList } from "../../model/people.ts";
import type { RoomList } from "../../model/rooms.ts";
import type { Snapshots } from "../../model/store.ts";
import { useSnapshot } from "../../model/useSnapshot.ts";
import { Button } from "../../ui/Button.tsx";
import css from "./Notices.module.css";

// What is told in full by its words.
const told: ReadonlySet<NoticeCode> = new Set(["password_changed", "password_reset", "reset_link"]);

// Notices tells the person what they must know: severe ones across the top,
// news in a corner. They stay until dismissed.
export function NoticeStack({
  notices,
  people,
  rooms,
  severe,
  onDismiss,
  onSettings,
}: {
  notices: Snapshots<readonly Notice[]>;
  people: Snapshots<PeopleList>;
  rooms: Snapshots<RoomList>;
  severe: boolean;
  onDismiss: (id: string) => void;
  onSettings: (part: "devices" | "password" | "recovery") => void;
}) {
  const t = useText();
  const shown = useSnapshot(notices).filter((n) => n.severe === severe);
  const { byId: persons } = useSnapshot(people);
  const { byId: chats } = useSnapshot(rooms);
  if (shown.length === 0) return null;
  return (
    <section className={css.stack} data-severe={severe || undefined} aria-label={t("notice.list")}>
      {shown.slice(0, 3).map((n) => {
        const who = n.account ? (persons.get(n.account)?.name ?? "") : "";
        const room = n.room ? (chats.get(n.room)?.title ?? "") : "";
        const { title, text } = noticeText(t, n, who, room);
        return (
          <div key={n.id} className={css.notice} role={severe ? "alert" : "status"}>
            {severe ? <ShieldAlert size={24} aria-hidden="true" /> : <Bell size={20} aria-hidden="true" />}
            <div>
              <h2>{title}</h2>
              <p>{text}</p>
              {n.text && !told.has(n.code) && n.code !== "storage" && (
                <details>
                  <summary>{t("notice.details")}</summary>
                  <p lang="en">{n.text}</p>
                  <p>{moment(t, n.time)}</p>
                </details>
              )}
              <div className={css.acts}>
                <Button look={severe ? "bad" : "main"} onClick={() => onDismiss(n.id)}>
                  {t("notice.dismiss")}
                </Button>
                {n.code === "password_changed" && (
                  <Button look="quiet" onClick={() => onSettings("password")}>
                    {t("notice.password")}
                  </Button>
                )}
                {(n.code === "new_device" || told.has(n.code)) && (
                  <Button look="quiet" onClick={() => onSettings("devices")}>
                    {t("notice.devices")}
                  </Button>
                )}
                {n.code === "no_recovery_key" && (
                  <Button look="quiet" onClick={() => onSettings("recovery")}>
                    {t("notice.recovery")}
                  </Button>
                )}
              </div>
            </div>
          </div>
        );
      })}
    </section>
  );
}
