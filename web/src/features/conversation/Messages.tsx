import { ArrowDown } from "lucide-react";
import { type KeyboardEvent, type RefObject, useCallback, useEffect, useMemo, useRef, useState } from "react";
import type { Item, Room } from "../../core/api.gen.ts";
import { dayName } from "../../i18n/format.ts";
import { useText } from "../../i18n/text.ts";
import type { Files } from "../../model/files.ts";
import { days, type Line } from "../../model/rows.ts";
import type { Timeline } from "../../model/timeline.ts";
import { useSnapshot } from "../../model/useSnapshot.ts";
import { Button, IconButton } from "../../ui/Button.tsx";
import { MenuAt } from "../../ui/Menu.tsx";
import { Ring } from "../../ui/Ring.tsx";
import { type Deeds, entriesFor } from "./deeds.tsx";
import { MessageRow } from "./MessageRow.tsx";
import css from "./Messages.module.css";
import { NoteRow } from "./NoteRow.tsx";
import { usePosition } from "./usePosition.ts";

interface OpenMenu {
  readonly item: Item;
  readonly at: RefObject<HTMLElement | null>;
  readonly x?: number;
  readonly y?: number;
}

// Messages is the stretch of the room on screen. It is a window of at most 120
// rows that slides: the browser lays out little, however long the room is.
export function Messages({
  timeline,
  room,
  files,
  me,
  calling,
  deeds,
}: {
  timeline: Timeline;
  room: Room;
  files: Files;
  me: string;
  calling: boolean; // one is in a call already
  deeds: Deeds;
}) {
  const t = useText();
  const state = useSnapshot(timeline.state);
  const { items, phase, firstUnread, older } = state;
  const box = useRef<HTMLDivElement>(null);
  const pin = useRef<HTMLSpanElement>(null);
  const { away, toEnd, toRow } = usePosition(box, timeline, state);
  const [menu, setMenu] = useState<OpenMenu>();
  const [active, setActive] = useState<string>();
  const shown = useMemo(() => days(items, firstUnread, timeline.keyOf), [items, firstUnread, timeline]);
  const all = shown.flatMap((d) => d.lines);
  const stop = all.some((l) => l.key === active) ? active : all.findLast((l) => l.kind === "message")?.key;

  useEffect(() => {
    void timeline.open(room.unread > 0);
  }, [timeline, room.unread]);

  const openMenu = useCallback((item: Item, at: HTMLElement | { x: number; y: number }) => {
    if (at instanceof HTMLElement) return setMenu({ item, at: { current: at } });
    setMenu({ item, at: pin, x: at.x, y: at.y });
  }, []);

  const jump = useCallback(
    async (id: string) => {
      if (!(await timeline.reveal(id))) return deeds.say("chat.quoteGone");
      requestAnimationFrame(() => {
        const row = toRow(timeline.keyOf(id));
        row?.animate([{ background: "var(--chosen)" }, { background: "transparent" }], { duration: 1400 });
        row?.focus({ preventScroll: true });
      });
    },
    [timeline, toRow, deeds],
  );

  const newest = async () => {
    await timeline.toNewest();
    requestAnimationFrame(toEnd);
  };

  const walk = (e: KeyboardEvent<HTMLElement>) => {
    const here = e.target as HTMLElement;
    if (!here.dataset.key) return;
    const step = { ArrowUp: -1, ArrowDown: 1 }[e.key];
    const rows = [...(box.current?.querySelectorAll<HTMLElement>("li[data-key][tabindex]") ?? [])];
    if (step) {
      const next = rows[rows.indexOf(here) + step];
      if (!next) return;
      e.preventDefault();
      next.focus();
      next.scrollIntoView({ block: "nearest" });
    } else if (e.key === "Enter" || e.key === "ContextMenu" || (e.key === "F10" && e.shiftKey)) {
      const item = items.find((i) => timeline.keyOf(i.id) === here.dataset.key);
      if (!item) return;
      e.preventDefault();
      openMenu(item, here.querySelector<HTMLElement>("[data-bubble]") ?? here);
    }
  };

  const row = (line: Line) => {
    switch (line.kind) {
      case "unread":
        return (
          <li key={line.key} className={css.unread} data-unread="">
            <span>{t("chat.unread")}</span>
          </li>
        );
      case "note":
        return <NoteRow key={line.key} rowKey={line.key} item={line.item} me={me} />;
      default:
        return (
          <MessageRow
            key={line.key}
            rowKey={line.key}
            item={line.item}
            opens={line.opens}
            closes={line.closes}
            group={room.kind === "group"}
            room={room.id}
            files={files}
            callable={room.state === "open" && !calling}
            stop={line.key === stop}
            deeds={deeds}
            onMenu={openMenu}
            onJump={jump}
          />
        );
    }
  };

  const entries = menu ? entriesFor(t, menu.item, room, deeds) : [];
  return (
    <div className={css.frame}>
      <div className={`${css.box} scroll`} ref={box}>
        <div className={css.column}>
          {phase === "loading" && <Skeleton label={t("chat.loading")} />}
          {phase === "failed" && (
            <div className={css.nothing}>
              <p>{t("chat.failedLoad")}</p>
              <Button onClick={() => void timeline.open(false)}>{t("chat.again")}</Button>
            </div>
          )}
          {phase === "ready" && items.length === 0 && (
            <div className={css.nothing}>
              <p>{t("chat.empty")}</p>
            </div>
          )}
          {older && (
            <div className={css.more}>
              <Ring size={22} label={t("chat.loading")} />
            </div>
          )}
          {/* biome-ignore lint/a11y/useSemanticElements: a fieldset is for forms */}
          <div
            role="group"
            aria-label={t("chat.messages")}
            onKeyDown={walk}
            onFocus={(e) => {
              const { key } = (e.target as HTMLElement).dataset;
              if (key) setActive(key);
            }}
          >
            {shown.map((day) => (
              <section key={day.key} aria-label={day.time === undefined ? t("chat.start") : dayName(t, day.time)}>
                {day.time !== undefined && (
                  <p className={css.day}>
                    <span>{dayName(t, day.time)}</span>
                  </p>
                )}
                <ol>{day.lines.map(row)}</ol>
              </section>
            ))}
          </div>
        </div>
      </div>
      {away && (
        <div className={css.jump}>
          {room.unread > 0 && <span aria-hidden="true">{room.unread > 999 ? "999+" : room.unread}</span>}
          <IconButton
            label={room.unread > 0 ? t("chat.newestUnread", { n: room.unread }) : t("chat.newest")}
            size={44}
            onClick={() => void newest()}
          >
            <ArrowDown size={22} />
          </IconButton>
        </div>
      )}
      <span
        ref={pin}
        className={css.pin}
        aria-hidden="true"
        style={menu?.x === undefined ? undefined : { left: menu.x, top: menu.y }}
      />
      {menu && entries.length > 0 && (
        <MenuAt label={t("chat.actions")} entries={entries} at={menu.at} onClose={() => setMenu(undefined)} />
      )}
      <Heard items={items} />
    </div>
  );
}

// Heard reads new messages of others out to a screen reader.
function Heard({ items }: { items: readonly Item[] }) {
  const t = useText();
  const last = items.at(-1);
  const [before] = useState({ order: last?.order ?? Number.POSITIVE_INFINITY });
  const fresh = last && !last.mine && last.kind === "message" && last.order > before.order ? last : undefined;
  return (
    <div className="unseen" role="log" aria-live="polite">
      {fresh && (
        <p key={fresh.id}>{t("chat.said", { name: fresh.name, text: fresh.text || (fresh.files?.[0]?.name ?? "") })}</p>
      )}
    </div>
  );
}

function Skeleton({ label }: { label: string }) {
  return (
    <div className={css.skeleton} role="status" aria-label={label}>
      <span />
      <span />
      <span data-mine="" />
      <span />
      <span data-mine="" />
    </div>
  );
}
