import { ChevronLeft, ChevronRight, Download, X } from "lucide-react";
import { type TouchEvent, useCallback, useEffect, useRef, useState } from "react";
import { Dialog } from "react-aria-components/Dialog";
import { Modal, ModalOverlay } from "react-aria-components/Modal";
import type { File, Item, RoomID } from "../../core/api.gen.ts";
import { moment } from "../../i18n/format.ts";
import { useText } from "../../i18n/text.ts";
import { type Files, lookOf } from "../../model/files.ts";
import { IconButton } from "../../ui/Button.tsx";
import { Ring } from "../../ui/Ring.tsx";
import { Small } from "../../ui/Small.tsx";
import css from "./Lightbox.module.css";

interface Shown {
  readonly item: Item;
  readonly file: File;
  readonly index: number;
}

// Lightbox shows the pictures and films of the conversation, one at a time.
// Lazily loaded, hence the default export.
// biome-ignore lint/style/noDefaultExport: React.lazy asks for it
export default function Lightbox({
  items,
  room,
  start,
  files,
  onClose,
  onSave,
}: {
  items: readonly Item[];
  room: RoomID;
  start: { readonly id: string; readonly index: number };
  files: Files;
  onClose: () => void;
  onSave: (item: Item, index: number) => void;
}) {
  const t = useText();
  const all: readonly Shown[] = items
    .filter((item) => item.kind === "message")
    .flatMap((item) => (item.files ?? []).map((file, index) => ({ item, file, index })))
    .filter(({ file }) => lookOf(file) !== "file");
  const [at, setAt] = useState(start);
  const n = all.findIndex((s) => s.item.id === at.id && s.index === at.index);
  const shown = all[n];

  const go = useCallback(
    (step: number) => {
      const next = all[n + step];
      if (next) setAt({ id: next.item.id, index: next.index });
    },
    [all, n],
  );

  // A finger swept across goes on or back.
  const touched = useRef<number | undefined>(undefined);
  const sweep = {
    onTouchStart: (e: TouchEvent) => {
      touched.current = e.touches.length === 1 ? e.touches[0]?.clientX : undefined;
    },
    onTouchEnd: (e: TouchEvent) => {
      const from = touched.current;
      const to = e.changedTouches[0]?.clientX;
      touched.current = undefined;
      if (from === undefined || to === undefined || (e.target as HTMLElement).closest("video")) return;
      if (Math.abs(to - from) > 50) go(to < from ? 1 : -1);
    },
  };

  // The message was deleted, or slid out of the window.
  useEffect(() => {
    if (!shown) onClose();
  }, [shown, onClose]);

  useEffect(() => {
    const key = (e: KeyboardEvent) => {
      if (e.target instanceof HTMLVideoElement) return;
      if (e.key === "ArrowLeft") go(-1);
      if (e.key === "ArrowRight") go(1);
    };
    addEventListener("keydown", key);
    return () => removeEventListener("keydown", key);
  }, [go]);

  if (!shown) return null;
  return (
    <ModalOverlay className={css.veil ?? ""} isOpen onOpenChange={(open) => !open && onClose()}>
      <Modal className={css.modal ?? ""}>
        <Dialog className={css.dialog ?? ""} aria-label={t("file.viewer")}>
          <header className={css.head}>
            <p>
              <strong>{shown.item.mine ? t("chat.you") : shown.item.name}</strong>
              <span>{moment(t, shown.item.time)}</span>
            </p>
            {all.length > 1 && (
              <span className={css.count} aria-live="polite">
                {t("file.of", { n: n + 1, total: all.length })}
              </span>
            )}
            <IconButton look="veil" label={t("file.download")} onClick={() => onSave(shown.item, shown.index)}>
              <Download size={20} />
            </IconButton>
            <IconButton look="veil" label={t("file.close")} onClick={onClose}>
              <X size={22} />
            </IconButton>
          </header>
          {/* biome-ignore lint/a11y/noStaticElementInteractions: Escape and the button do the same */}
          {/* biome-ignore lint/a11y/useKeyWithClickEvents: Escape and the button do the same */}
          <div className={css.stage} {...sweep} onClick={(e) => e.target === e.currentTarget && onClose()}>
            <Picture key={`${shown.item.id} ${shown.index}`} {...shown} room={room} files={files} />
          </div>
          {n > 0 && (
            <span className={css.previous}>
              <IconButton look="veil" size={48} label={t("file.previous")} onClick={() => go(-1)}>
                <ChevronLeft size={28} />
              </IconButton>
            </span>
          )}
          {n < all.length - 1 && (
            <span className={css.next}>
              <IconButton look="veil" size={48} label={t("file.next")} onClick={() => go(1)}>
                <ChevronRight size={28} />
              </IconButton>
            </span>
          )}
          {shown.item.text && <p className={`${css.words} scroll`}>{shown.item.text}</p>}
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}

function Picture({ item, file, index, room, files }: Shown & { room: RoomID; files: Files }) {
  const t = useText();
  const film = lookOf(file) === "film";
  const [url, setUrl] = useState<string>();
  const [wrong, setWrong] = useState<string>();

  // biome-ignore lint/correctness/useExhaustiveDependencies: the file's bytes never change, its progress does
  useEffect(() => {
    const { url: opening, done } = files.show({ room, id: item.id, index }, file);
    let gone = false;
    void opening.then((got) => {
      if (gone) return;
      if (got.ok) setUrl(got.value);
      else setWrong(t(`fail.${got.failure.code}`));
    });
    return () => {
      gone = true;
      done();
    };
  }, [room, item.id, index]);

  if (wrong) {
    return (
      <p className={css.wrong} role="alert">
        {wrong}
      </p>
    );
  }
  if (url && film) {
    return (
      // biome-ignore lint/a11y/useMediaCaption: people's own films have none
      <video
        className={css.picture}
        src={url}
        controls
        autoPlay
        playsInline
        onError={() => setWrong(t("file.cannotPlay"))}
      />
    );
  }
  const share = file.transfer ? file.transfer.done / file.transfer.total : undefined;
  return (
    <div className={css.sheet} style={{ aspectRatio: `${file.width || 4} / ${file.height || 3}`, ...widest(file) }}>
      <Small file={file} />
      {url ? (
        <img className={css.picture} src={url} alt={file.name} />
      ) : (
        <span className={css.ring}>
          <Ring size={56} label={t("file.fetching", { name: file.name })} {...(share === undefined ? {} : { share })} />
        </span>
      )}
    </div>
  );
}

// widest keeps the sheet within the screen whatever its proportions.
function widest(file: File): { width: string } {
  const w = file.width || 1200;
  const h = file.height || 900;
  return { width: `min(100%, ${w}px, calc((100dvh - 150px) * ${(w / h).toFixed(4)}))` };
}
