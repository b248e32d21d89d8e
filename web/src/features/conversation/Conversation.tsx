import { ArrowLeft, PanelRight, Phone, Video } from "lucide-react";
import { type DragEvent, Suspense, useEffect, useMemo, useRef, useState } from "react";
import type { Item, Person, Room, RoomID } from "../../core/api.gen.ts";
import { typingText } from "../../i18n/preview.ts";
import { type Key, useText } from "../../i18n/text.ts";
import type { Model } from "../../model/model.ts";
import { useSnapshot } from "../../model/useSnapshot.ts";
import { Avatar } from "../../ui/Avatar.tsx";
import { Boundary } from "../../ui/Boundary.tsx";
import { IconButton } from "../../ui/Button.tsx";
import { copy } from "../../ui/Code.tsx";
import { Confirm } from "../../ui/Dialog.tsx";
import { Toast, useToast } from "../../ui/Toast.tsx";
import { BackBanner } from "./BackBanner.tsx";
import { CallBanner } from "./CallBanner.tsx";
import { ComposerView } from "./ComposerView.tsx";
import css from "./Conversation.module.css";
import { Composer } from "./composer.ts";
import type { Deeds } from "./deeds.tsx";
import { Messages } from "./Messages.tsx";
import { Lightbox } from "./parts.ts";

// Conversation is the middle pane: one room, its messages and the field below.
export function Conversation({
  model,
  room,
  maxFile,
  detailsOpen,
  onBack,
  onDetails,
  onMoved,
}: {
  model: Model;
  room: Room;
  maxFile: number;
  detailsOpen: boolean;
  onBack: () => void;
  onDetails: () => void;
  onMoved: (room: RoomID) => void; // the first message made the room, under this id
}) {
  const t = useText();
  const timeline = model.timeline(room.id);
  const me = useSnapshot(model.session.status)?.me;
  const [deleting, setDeleting] = useState<Item>();
  const [viewing, setViewing] = useState<{ id: string; index: number }>();
  const [toast, say] = useToast();
  const [dropping, setDropping] = useState(false);
  const drags = useRef(0);
  const roomNow = useRef(room);
  useEffect(() => {
    roomNow.current = room;
  }, [room]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: one composer for a room, whatever else changes in it
  const composer = useMemo(
    () => new Composer(model.core, timeline, room, () => model.rooms.isMade(room.id), maxFile),
    [model, timeline, room.id, maxFile],
  );
  useEffect(() => {
    const keep = () => composer.keepDraft();
    addEventListener("pagehide", keep);
    return () => {
      removeEventListener("pagehide", keep);
      composer.close();
    };
  }, [composer]);

  const deeds = useMemo<Deeds>(() => {
    const complain = (got: { ok: boolean; failure?: { code: string } }) => {
      if (!got.ok && got.failure) say(t(`fail.${got.failure.code}` as Key));
    };
    const ref = (item: Item, index: number) => ({ room: timeline.room, id: item.id, index });
    return {
      reply: (item) => composer.replyTo(item.mine ? { ...item, name: me?.name ?? t("chat.you") } : item),
      edit: (item) => composer.beginEdit(item),
      remove: setDeleting,
      retry: async (item) => complain(await timeline.retry(item.id)),
      drop: async (item) => complain(await timeline.drop(item.id)),
      copy: async (item) => {
        if (await copy(item.text)) say(t("key.copied"));
      },
      save: async (item, index) => {
        const got = await model.files.save(ref(item, index));
        if (!got.ok && got.failure.code !== "cancelled") {
          say(`${t("file.failed", { name: item.files?.[index]?.name ?? "" })} ${t(`fail.${got.failure.code}`)}`);
        }
      },
      cancel: async (item, index) => {
        if (item.mine && item.seq === 0) complain(await timeline.drop(item.id));
        else await model.files.cancel(ref(item, index));
      },
      view: (item, index) => setViewing({ id: item.id, index }),
      say: (key) => say(t(key)),
      call: (video) => void model.calls.dial(roomNow.current, video),
    };
  }, [t, timeline, composer, model, me, say]);

  const calling = useSnapshot(model.calls.live) !== undefined;

  const editLast = () => {
    const mine = timeline.state.snapshot().items.findLast((i) => i.mine && i.kind === "message" && i.text && i.seq > 0);
    if (mine) composer.beginEdit(mine);
  };

  const open = room.state === "open";
  const hasFiles = (e: DragEvent) => open && e.dataTransfer.types.includes("Files");
  return (
    <section
      className={css.pane}
      aria-label={room.self ? t("rooms.self") : room.title}
      onDragEnter={(e) => {
        if (!hasFiles(e)) return;
        e.preventDefault();
        drags.current++;
        setDropping(true);
      }}
      onDragOver={(e) => hasFiles(e) && e.preventDefault()}
      onDragLeave={(e) => {
        if (hasFiles(e) && --drags.current <= 0) setDropping(false);
      }}
      onDrop={(e) => {
        if (!hasFiles(e)) return;
        e.preventDefault();
        drags.current = 0;
        setDropping(false);
        composer.attach(e.dataTransfer.files);
      }}
    >
      <Head model={model} room={room} detailsOpen={detailsOpen} onBack={onBack} onDetails={onDetails} />
      {open && <CallBanner calls={model.calls} room={room} />}
      {open && <BackBanner core={model.core} room={room} />}
      <Messages
        timeline={timeline}
        room={room}
        files={model.files}
        me={me?.name ?? ""}
        calling={calling}
        deeds={deeds}
      />
      {open ? (
        <ComposerView
          key={room.id}
          composer={composer}
          // A direct room is made by its first message and may then have another id.
          onStored={(where) => where !== room.id && onMoved(where)}
          onEditLast={editLast}
        />
      ) : (
        <p className={css.closed} data-bad={room.state === "blocked" || undefined}>
          {t(closedText(room))}
        </p>
      )}
      {dropping && (
        <div className={css.drop}>
          <span>{t("write.drop")}</span>
        </div>
      )}
      {deleting && (
        <Confirm
          title={t("chat.deleteTitle")}
          action={t("chat.deleteDo")}
          onClose={() => setDeleting(undefined)}
          act={async () => {
            const got = await timeline.delete(deleting.id);
            return got.ok ? undefined : t(`fail.${got.failure.code}`);
          }}
        >
          <p>{t("chat.deleteLead")}</p>
        </Confirm>
      )}
      {viewing && (
        <Viewer model={model} room={room.id} start={viewing} deeds={deeds} onClose={() => setViewing(undefined)} />
      )}
      <Toast text={toast} />
    </section>
  );
}

function closedText(room: Room): Key {
  if (room.state === "left") return room.restored ? "chat.restored" : "chat.left";
  return room.state === "blocked" ? "chat.blocked" : "chat.joining";
}

function Viewer({
  model,
  room,
  start,
  deeds,
  onClose,
}: {
  model: Model;
  room: RoomID;
  start: { id: string; index: number };
  deeds: Deeds;
  onClose: () => void;
}) {
  const { items } = useSnapshot(model.timeline(room).state);
  return (
    <Boundary instead={() => null}>
      <Suspense fallback={null}>
        <Lightbox items={items} room={room} start={start} files={model.files} onClose={onClose} onSave={deeds.save} />
      </Suspense>
    </Boundary>
  );
}

function Head({
  model,
  room,
  detailsOpen,
  onBack,
  onDetails,
}: {
  model: Model;
  room: Room;
  detailsOpen: boolean;
  onBack: () => void;
  onDetails: () => void;
}) {
  const t = useText();
  const calls = useSnapshot(model.session.status)?.calls;
  const typing = useSnapshot(model.typing.rooms).get(room.id) ?? [];
  const people = useSnapshot(model.people.list);
  const peer: Person | undefined = room.peer ? people.byId.get(room.peer) : undefined;
  const title = room.self ? t("rooms.self") : room.title;
  const below = () => {
    if (typing.length > 0) return typingText(t, typing, room.kind === "direct");
    if (room.self) return "";
    if (room.kind === "group") return t("chat.members", { n: room.members });
    if (peer?.shut) return t("people.shut");
    return peer?.online ? t("chat.online") : t("chat.away");
  };
  return (
    <header className={css.head}>
      <span className={css.back}>
        <IconButton label={t("chat.back")} onClick={onBack}>
          <ArrowLeft size={22} />
        </IconButton>
      </span>
      <button type="button" className={css.title} onClick={onDetails} aria-expanded={detailsOpen}>
        <Avatar
          id={room.peer ?? room.id}
          name={title}
          shape={room.self ? "self" : room.kind === "group" ? "group" : "person"}
          size={42}
        />
        <span>
          <h2>{title}</h2>
          <small data-live={typing.length > 0 || peer?.online || undefined}>{below()}</small>
        </span>
      </button>
      {room.state === "open" && !room.self && calls && (
        <>
          <IconButton label={t("call.audio")} onClick={() => void model.calls.dial(room, false)}>
            <Phone size={20} />
          </IconButton>
          <IconButton label={t("call.video")} onClick={() => void model.calls.dial(room, true)}>
            <Video size={22} />
          </IconButton>
        </>
      )}
      <span className={css.aside}>
        <IconButton label={t("chat.details")} aria-pressed={detailsOpen} onClick={onDetails}>
          <PanelRight size={21} />
        </IconButton>
      </span>
    </header>
  );
}
