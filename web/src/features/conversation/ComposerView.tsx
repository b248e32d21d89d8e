import { File as FileIcon, Image, Paperclip, Pencil, Reply, SendHorizontal, Smile, X } from "lucide-react";
import {
  type ClipboardEvent,
  type KeyboardEvent,
  Suspense,
  useCallback,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
} from "react";
import { Button as AriaButton } from "react-aria-components/Button";
import { DialogTrigger } from "react-aria-components/Dialog";
import { Popover } from "react-aria-components/Popover";
import type { RoomID } from "../../core/api.gen.ts";
import { size } from "../../i18n/format.ts";
import { useText } from "../../i18n/text.ts";
import type { Attachment } from "../../model/attachment.ts";
import { useSnapshot } from "../../model/useSnapshot.ts";
import { Boundary } from "../../ui/Boundary.tsx";
import { IconButton } from "../../ui/Button.tsx";
import { Check } from "../../ui/Field.tsx";
import { MenuButton } from "../../ui/Menu.tsx";
import { Ring } from "../../ui/Ring.tsx";
import { Small } from "../../ui/Small.tsx";
import css from "./Composer.module.css";
import type { Composer } from "./composer.ts";
import { Emoji } from "./parts.ts";

// ComposerView is the field that one writes in, with what waits to be sent.
export function ComposerView({
  composer,
  onStored,
  onEditLast,
}: {
  composer: Composer;
  onStored: (room: RoomID) => void; // a message is stored, in this room
  onEditLast: () => void;
}) {
  const t = useText();
  const { text, attachments, asFiles, reply, editing, problem } = useSnapshot(composer.state);
  const field = useRef<HTMLTextAreaElement>(null);
  const photos = useRef<HTMLInputElement>(null);
  const files = useRef<HTMLInputElement>(null);
  const caret = useRef<number | undefined>(undefined);
  const [picking, setPicking] = useState(false);
  const ready = text.trim() !== "" || attachments.length > 0;

  // Where there is a keyboard, one can write at once. On a touch screen the
  // keyboard on screen would hide half of the room.
  useEffect(() => {
    if (matchMedia("(hover: hover)").matches) field.current?.focus({ preventScroll: true });
  }, []);
  useEffect(() => {
    if (reply || editing) field.current?.focus();
  }, [reply, editing]);

  // The field grows with its text, up to the height that the style allows.
  const grow = useCallback(() => {
    const el = field.current;
    if (!el) return;
    el.style.height = "0";
    el.style.height = `${el.scrollHeight}px`;
  }, []);
  useEffect(() => {
    addEventListener("resize", grow);
    return () => removeEventListener("resize", grow);
  }, [grow]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: measures the text
  useLayoutEffect(() => {
    const el = field.current;
    if (!el) return;
    grow();
    if (caret.current !== undefined) {
      el.setSelectionRange(caret.current, caret.current);
      caret.current = undefined;
    }
  }, [text, grow]);

  const send = () => {
    void composer.send().then((got) => got?.ok && onStored(got.value.room));
    field.current?.focus();
  };

  const key = (e: KeyboardEvent<HTMLTextAreaElement>) => {
    if (e.nativeEvent.isComposing) return;
    if (e.key === "Enter" && !e.shiftKey && !e.altKey) {
      e.preventDefault();
      send();
    } else if (e.key === "Escape" && (reply || editing)) {
      e.preventDefault();
      e.stopPropagation();
      composer.cancel();
    } else if (e.key === "ArrowUp" && text === "" && !editing && attachments.length === 0) {
      e.preventDefault();
      onEditLast();
    }
  };

  const paste = (e: ClipboardEvent) => {
    if (e.clipboardData.files.length === 0) return;
    e.preventDefault();
    composer.attach(e.clipboardData.files);
  };

  const insert = (emoji: string) => {
    const el = field.current;
    const from = el?.selectionStart ?? text.length;
    const to = el?.selectionEnd ?? text.length;
    caret.current = from + emoji.length;
    composer.edit(text.slice(0, from) + emoji + text.slice(to));
  };

  const pick = (input: HTMLInputElement | null) => {
    if (!input?.files) return;
    composer.attach([...input.files]);
    input.value = "";
    field.current?.focus();
  };

  return (
    <footer className={css.foot}>
      <div className={css.inner}>
        {problem && (
          <p className={css.problem} role="alert">
            {t(problem.key, {
              ...problem.values,
              ...(typeof problem.values?.size === "number" ? { size: size(t, problem.values.size) } : {}),
            })}
          </p>
        )}
        {(reply || editing) && (
          <div className={css.about}>
            {editing ? <Pencil size={20} aria-hidden="true" /> : <Reply size={20} aria-hidden="true" />}
            <p>
              <strong>{editing ? t("write.editing") : t("chat.replyTo", { name: reply?.name ?? "" })}</strong>
              <span>{editing ? editing.text : reply?.text}</span>
            </p>
            <IconButton
              label={t(editing ? "write.cancelEdit" : "write.cancelReply")}
              size={36}
              onClick={() => composer.cancel()}
            >
              <X size={18} />
            </IconButton>
          </div>
        )}
        {attachments.length > 0 && <Tray composer={composer} attachments={attachments} asFiles={asFiles} />}
        <form
          className={css.line}
          onSubmit={(e) => {
            e.preventDefault();
            send();
          }}
        >
          {!editing && (
            <MenuButton
              label={t("write.attach")}
              entries={[
                {
                  id: "photo",
                  label: t("write.attachPhoto"),
                  icon: <Image size={18} />,
                  act: () => photos.current?.click(),
                },
                {
                  id: "file",
                  label: t("write.attachFile"),
                  icon: <FileIcon size={18} />,
                  act: () => files.current?.click(),
                },
              ]}
            >
              <AriaButton className={css.tool ?? ""} aria-label={t("write.attach")}>
                <Paperclip size={21} />
              </AriaButton>
            </MenuButton>
          )}
          <input ref={photos} type="file" accept="image/*,video/*" multiple hidden onChange={(e) => pick(e.target)} />
          <input ref={files} type="file" multiple hidden onChange={(e) => pick(e.target)} />
          <textarea
            ref={field}
            className="scroll"
            rows={1}
            value={text}
            placeholder={t("write.placeholder")}
            aria-label={t("write.label")}
            enterKeyHint="send"
            onChange={(e) => composer.edit(e.target.value)}
            onKeyDown={key}
            onPaste={paste}
          />
          <span className={css.emoji}>
            <DialogTrigger isOpen={picking} onOpenChange={setPicking}>
              <AriaButton className={css.tool ?? ""} aria-label={t("write.emoji")}>
                <Smile size={22} />
              </AriaButton>
              <Popover className={css.picker ?? ""} placement="top end" offset={10}>
                <Boundary instead={() => <p className={css.unfetched}>{t("fail.offline")}</p>}>
                  <Suspense fallback={<Ring label={t("write.emojiLoading")} />}>
                    <Emoji
                      onPick={insert}
                      onDone={() => {
                        setPicking(false);
                        requestAnimationFrame(() => field.current?.focus());
                      }}
                    />
                  </Suspense>
                </Boundary>
              </Popover>
            </DialogTrigger>
          </span>
          <button
            type="submit"
            className={css.send}
            data-ready={ready || undefined}
            disabled={!ready}
            aria-label={t(editing ? "write.save" : "write.send")}
            title={t(editing ? "write.save" : "write.send")}
          >
            <SendHorizontal size={20} fill="currentColor" strokeWidth={1.5} />
          </button>
        </form>
      </div>
    </footer>
  );
}

// Tray holds the attachments until the message is sent.
function Tray({
  composer,
  attachments,
  asFiles,
}: {
  composer: Composer;
  attachments: readonly Attachment[];
  asFiles: boolean;
}) {
  const t = useText();
  const photo = attachments.some((a) => a.look === "picture");
  const film = attachments.some((a) => a.look === "film");
  return (
    <section className={css.tray} aria-label={t("write.attached", { n: attachments.length })}>
      <ul className="scroll">
        {attachments.map((a) => (
          <li key={a.key} data-look={a.look === "file" || asFiles ? "file" : "picture"}>
            {a.look === "file" || asFiles ? (
              <span className={css.paper}>
                <FileIcon size={22} aria-hidden="true" />
                <span>{a.original.name}</span>
                <small>{size(t, a.original.size)}</small>
              </span>
            ) : a.prepared ? (
              <Small file={{ ...a.prepared.photo.about, name: a.original.name }} />
            ) : (
              <Ring size={30} label={a.original.name} />
            )}
            <IconButton
              look="veil"
              size={24}
              label={t("write.remove", { name: a.original.name })}
              onClick={() => composer.detach(a.key)}
            >
              <X size={14} />
            </IconButton>
          </li>
        ))}
      </ul>
      {(photo || film) && (
        <Check
          label={t("write.asFiles")}
          hint={photo ? t(asFiles ? "write.asFilesHint" : "write.photoHint") : t("write.filmHint")}
          checked={asFiles}
          onChange={(on) => composer.setAsFiles(on)}
        />
      )}
    </section>
  );
}
