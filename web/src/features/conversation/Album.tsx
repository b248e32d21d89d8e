import { Play, RotateCcw, X } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import type { File, Item, RoomID } from "../../core/api.gen.ts";
import { size } from "../../i18n/format.ts";
import { useText } from "../../i18n/text.ts";
import { type Files, lookOf } from "../../model/files.ts";
import { Ring } from "../../ui/Ring.tsx";
import { Small } from "../../ui/Small.tsx";
import css from "./Album.module.css";
import type { Deeds } from "./deeds.tsx";

const alone = { w: 420, h: 440, min: 140 }; // px of a single picture
const unasked = 8 << 20; // bytes of a picture that is fetched without being asked for

// Album shows the pictures and films of a message: one as it is, several as tiles.
export function Album({
  item,
  media,
  room,
  files,
  deeds,
  tab,
}: {
  item: Item;
  media: readonly { file: File; index: number }[];
  room: RoomID;
  files: Files;
  deeds: Deeds;
  tab: 0 | -1;
}) {
  const only = media.length === 1;
  return (
    <div className={css.album} data-n={Math.min(media.length, 4)}>
      {media.map(({ file, index }) => (
        <Tile
          key={index}
          item={item}
          file={file}
          index={index}
          room={room}
          files={files}
          deeds={deeds}
          only={only}
          tab={tab}
        />
      ))}
    </div>
  );
}

function Tile({
  item,
  file,
  index,
  room,
  files,
  deeds,
  only,
  tab,
}: {
  item: Item;
  file: File;
  index: number;
  room: RoomID;
  files: Files;
  deeds: Deeds;
  only: boolean;
  tab: 0 | -1;
}) {
  const t = useText();
  const tile = useRef<HTMLDivElement>(null);
  const film = lookOf(file) === "film";
  const [near, setNear] = useState(false);
  const [url, setUrl] = useState<string>();
  const [failed, setFailed] = useState(false);
  const stored = item.seq > 0 || file.here;

  useEffect(() => {
    const el = tile.current;
    if (!el) return;
    const watch = new IntersectionObserver((seen) => setNear(seen.at(-1)?.isIntersecting ?? false), {
      rootMargin: "400px 0px",
    });
    watch.observe(el);
    return () => watch.disconnect();
  }, []);

  const { transfer } = file;
  const going = transfer !== undefined && transfer.done < transfer.total;
  // What is still on its way up is opened when it is there; until then its preview stands.
  const wanted = near && !film && stored && !going && (file.here || file.size <= unasked);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the file's bytes never change, its progress does
  useEffect(() => {
    if (!wanted || failed) return;
    const { url: opening, done } = files.show({ room, id: item.id, index }, file);
    let gone = false;
    void opening.then((got) => {
      if (gone) return;
      if (got.ok) setUrl(got.value);
      else setFailed(got.failure.code !== "cancelled" && got.failure.code !== "busy");
    });
    return () => {
      gone = true;
      setUrl(undefined);
      done();
    };
  }, [wanted, failed, room, item.id, index]);

  const label = film ? t("file.play", { name: file.name }) : t("file.open", { name: file.name });
  return (
    <div className={css.tile} ref={tile} style={only ? shape(file) : undefined}>
      <button
        type="button"
        className={css.open}
        tabIndex={tab}
        aria-label={label}
        onClick={() => deeds.view(item, index)}
      >
        <Small file={file} />
        {url && (
          <img
            className={css.full}
            src={url}
            alt={file.name}
            draggable={false}
            decoding="async"
            onError={() => setUrl(undefined)}
          />
        )}
        {film && !going && (
          <span className={css.play}>
            <Play size={26} fill="currentColor" aria-hidden="true" />
          </span>
        )}
      </button>
      {film && <span className={css.size}>{size(t, file.size)}</span>}
      {going && (
        <button
          type="button"
          className={css.going}
          tabIndex={tab}
          aria-label={t("file.cancel", { name: file.name })}
          onClick={() => deeds.cancel(item, index)}
        >
          <Ring
            share={transfer.done / transfer.total}
            size={50}
            label={
              item.mine && item.seq === 0
                ? t("file.uploading", { name: file.name })
                : t("file.fetching", { name: file.name })
            }
          />
          <X size={20} aria-hidden="true" />
        </button>
      )}
      {failed && !going && (
        <button
          type="button"
          className={css.going}
          tabIndex={tab}
          aria-label={t("chat.again")}
          onClick={() => setFailed(false)}
        >
          <RotateCcw size={22} aria-hidden="true" />
        </button>
      )}
    </div>
  );
}

// shape reserves a picture's place before it is here, so that nothing jumps.
function shape(file: File): { width: number; aspectRatio: string } {
  const w = file.width || 4;
  const h = file.height || 3;
  const known = Boolean(file.width && file.height);
  const scale = Math.min(
    alone.w / w,
    alone.h / h,
    known ? Math.max(1, alone.min / Math.min(w, h)) : Number.POSITIVE_INFINITY,
  );
  const width = Math.max(alone.min, Math.round(w * scale));
  const height = Math.max(Math.min(alone.min, alone.h), Math.round(h * scale));
  return { width, aspectRatio: `${width} / ${height}` };
}
