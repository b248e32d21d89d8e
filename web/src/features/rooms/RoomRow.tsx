import { Phone } from "lucide-react";
import { memo } from "react";
import type { Room } from "../../core/api.gen.ts";
import { listTime } from "../../i18n/format.ts";
import { previewLine } from "../../i18n/preview.ts";
import { useText } from "../../i18n/text.ts";
import { Avatar } from "../../ui/Avatar.tsx";
import { Ticks } from "../../ui/Ticks.tsx";
import css from "./Rooms.module.css";

// RoomRow is one line of the chat list.
export const RoomRow = memo(function RoomRow({
  room,
  typing,
  online,
  calling,
  open,
  focusable,
  me,
}: {
  room: Room;
  typing: readonly string[];
  online: boolean;
  calling: boolean;
  open: boolean;
  focusable: boolean;
  me: string;
}) {
  const t = useText();
  const line = previewLine(t, room, typing, open, me);
  const title = room.self ? t("rooms.self") : room.title;
  const mine = room.last?.mine && !room.last.change;
  return (
    <a
      className={css.row}
      href={`#/r/${room.id}`}
      aria-current={open ? "page" : undefined}
      tabIndex={focusable ? 0 : -1}
      data-room={room.id}
    >
      <Avatar
        id={room.peer ?? room.id}
        name={title}
        shape={room.self ? "self" : room.kind === "group" ? "group" : "person"}
        size={50}
        online={online}
      />
      <span className={css.words}>
        <span className={css.top}>
          <strong>{title}</strong>
          {mine && room.last && <Ticks state={room.failed > 0 ? "failed" : room.last.state} />}
          <time dateTime={new Date(room.time).toISOString()}>{listTime(t, room.time)}</time>
        </span>
        <span className={css.bottom}>
          <span className={css.preview} data-tone={line.tone}>
            {line.lead && <span className={css.lead}>{line.lead} </span>}
            {line.text}
          </span>
          {calling && (
            <span className={css.calling}>
              <Phone size={14} aria-hidden="true" />
              <span className="unseen">{t("call.mark")}</span>
            </span>
          )}
          {room.unread > 0 && (
            <span className={css.badge}>
              <span aria-hidden="true">{room.unread > 999 ? "999+" : room.unread}</span>
              <span className="unseen">{t("rooms.unread", { n: room.unread })}</span>
            </span>
          )}
        </span>
      </span>
    </a>
  );
});
