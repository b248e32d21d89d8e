import { EllipsisVertical, MessageCircleOff, ShieldAlert, Sparkles } from "lucide-react";
import { type MouseEvent, memo } from "react";
import type { Item, RoomID } from "../../core/api.gen.ts";
import { clock, moment } from "../../i18n/format.ts";
import { useText } from "../../i18n/text.ts";
import type { Files } from "../../model/files.ts";
import { lookOf } from "../../model/files.ts";
import { Avatar, hueOf } from "../../ui/Avatar.tsx";
import { IconButton } from "../../ui/Button.tsx";
import { Ticks } from "../../ui/Ticks.tsx";
import { Album } from "./Album.tsx";
import { CallRow } from "./CallRow.tsx";
import type { Deeds } from "./deeds.tsx";
import { FileChip } from "./FileChip.tsx";
import css from "./Message.module.css";
import { asWritten, isEmojiOnly, Rich } from "./Rich.tsx";

// MessageRow is one message. It is drawn anew only when its own item changes.
export const MessageRow = memo(function MessageRow({
  item,
  rowKey,
  opens,
  closes,
  group,
  room,
  files,
  stop,
  callable,
  deeds,
  onMenu,
  onJump,
}: {
  item: Item;
  rowKey: string;
  opens: boolean;
  closes: boolean;
  group: boolean;
  room: RoomID;
  files: Files;
  callable: boolean; // one can call here now
  stop: boolean; // where Tab comes in; the buttons of the other rows are passed over
  deeds: Deeds;
  onMenu: (item: Item, at: HTMLElement | { x: number; y: number }) => void;
  onJump: (id: string) => void;
}) {
  const t = useText();
  const tab = stop ? 0 : -1;
  const named = group && !item.mine;
  const media = (item.files ?? [])
    .map((file, index) => ({ file, index }))
    .filter(({ file }) => lookOf(file) !== "file");
  const others = (item.files ?? [])
    .map((file, index) => ({ file, index }))
    .filter(({ file }) => lookOf(file) === "file");
  const text = item.kind === "message" && item.text !== "";
  const huge = text && media.length + others.length === 0 && !item.reply && isEmojiOnly(item.text);
  const meta = <Meta item={item} over={media.length > 0 && !text && others.length === 0} />;

  const context = (e: MouseEvent) => {
    if (item.kind !== "message" || (e.target as HTMLElement).closest("a")) return;
    e.preventDefault();
    onMenu(item, { x: e.clientX, y: e.clientY });
  };
  // On a touch screen a tap opens the menu, as there is nothing to hover over.
  const tap = (e: MouseEvent) => {
    if (!matchMedia("(hover: none)").matches || (e.target as HTMLElement).closest("a, button")) return;
    if (item.kind === "message" && getSelection()?.isCollapsed !== false) onMenu(item, { x: e.clientX, y: e.clientY });
  };

  return (
    <li
      className={css.row}
      data-key={rowKey}
      data-seq={item.seq}
      data-mine={item.mine || undefined}
      data-opens={opens || undefined}
      data-closes={closes || undefined}
      tabIndex={tab}
    >
      {named && (
        <span className={css.face}>{closes && <Avatar id={item.from ?? item.name} name={item.name} size={34} />}</span>
      )}
      {/* biome-ignore lint/a11y/noStaticElementInteractions: Enter on the row does the same */}
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: Enter on the row does the same */}
      <div
        className={css.bubble}
        data-bubble=""
        data-huge={huge || undefined}
        data-bare={(media.length > 0 && !text && others.length === 0 && !item.reply && !(named && opens)) || undefined}
        data-media={media.length > 0 || undefined}
        data-muted={(item.kind !== "message" && item.kind !== "call") || undefined}
        onContextMenu={context}
        onClick={tap}
      >
        {named && opens ? (
          <strong className={css.name} data-hue={hueOf(item.from ?? item.name)}>
            {item.name}
          </strong>
        ) : (
          <span className="unseen">{item.mine ? t("chat.you") : item.name}</span>
        )}
        {item.reply && item.kind === "message" && (
          <button
            type="button"
            className={css.quote}
            tabIndex={tab}
            onClick={() => item.reply && onJump(item.reply.id)}
          >
            <strong>{item.reply.name}</strong>
            <span>{item.reply.text}</span>
          </button>
        )}
        {media.length > 0 && <Album item={item} media={media} room={room} files={files} deeds={deeds} tab={tab} />}
        {others.map(({ file, index }) => (
          <FileChip key={index} item={item} file={file} index={index} deeds={deeds} tab={tab} />
        ))}
        {item.kind === "message" ? (
          text ? (
            <Rich blocks={item.rich ?? asWritten(item.text)} end={meta} />
          ) : (
            meta
          )
        ) : item.call ? (
          <CallRow
            item={item}
            call={item.call}
            tab={tab}
            onCall={callable ? (video) => deeds.call(video) : undefined}
            meta={meta}
          />
        ) : (
          <p className={css.muted}>
            <Muted kind={item.kind} />
            {meta}
          </p>
        )}
        {item.alone && (
          <p className={css.alone} title={t("chat.aloneTitle")}>
            {t("chat.alone")}
          </p>
        )}
        {item.state === "saved" && (item.fail === "no_space" || item.fail === "busy") && (
          <p className={css.alone} role="status">
            {t(item.fail === "no_space" ? "chat.waitsFull" : "chat.waitsBusy")}
          </p>
        )}
        {item.state === "failed" && (
          <p className={css.failed}>
            {t("chat.notSent")} {item.fail && item.fail !== "internal" && t(`fail.${item.fail}`)}{" "}
            <button type="button" tabIndex={tab} onClick={() => deeds.retry(item)}>
              {t("chat.again")}
            </button>
          </p>
        )}
      </div>
      {item.kind === "message" && (
        <span className={css.more}>
          <IconButton label={t("chat.actions")} size={32} tabIndex={-1} onClick={(e) => onMenu(item, e.currentTarget)}>
            <EllipsisVertical size={18} />
          </IconButton>
        </span>
      )}
    </li>
  );
});

function Meta({ item, over }: { item: Item; over: boolean }) {
  const t = useText();
  return (
    <span className={css.meta} data-over={over || undefined}>
      {item.edited && <span>{t("chat.edited")}</span>}
      <time dateTime={new Date(item.time).toISOString()} title={moment(t, item.time)}>
        {clock(t, item.time)}
      </time>
      {item.mine && item.kind === "message" && !item.alone && <Ticks state={item.state} />}
    </span>
  );
}

function Muted({ kind }: { kind: Item["kind"] }) {
  const t = useText();
  if (kind === "deleted") {
    return (
      <>
        <MessageCircleOff size={17} aria-hidden="true" />
        <span>{t("chat.deleted")}</span>
      </>
    );
  }
  if (kind === "unopenable") {
    return (
      <>
        <ShieldAlert size={17} aria-hidden="true" />
        <span>{t("chat.unopenable")}</span>
      </>
    );
  }
  return (
    <>
      <Sparkles size={17} aria-hidden="true" />
      <span>{t("chat.unknown")}</span>
    </>
  );
}
