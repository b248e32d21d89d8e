import { LayoutGrid, MessageCircle, PictureInPicture2, RectangleHorizontal, ShieldCheck, X } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { useText } from "../../i18n/text.ts";
import type { Media } from "../../media/media.ts";
import type { LiveCall } from "../../model/call/live.ts";
import { gradeOf } from "../../model/call/quality.ts";
import type { Model } from "../../model/model.ts";
import { useSnapshot } from "../../model/useSnapshot.ts";
import { Avatar } from "../../ui/Avatar.tsx";
import { Button, IconButton } from "../../ui/Button.tsx";
import { Toast, useToast } from "../../ui/Toast.tsx";
import css from "./Call.module.css";
import { Controls, type Pane } from "./Controls.tsx";
import { DevicePanel, GradeIcon } from "./DevicePanel.tsx";
import { useKeys } from "./keys.ts";
import { PeoplePane } from "./PeoplePane.tsx";
import { Stage } from "./Stage.tsx";
import { useNews } from "./useNews.ts";
import { useSeconds } from "./useSeconds.ts";
import { gradeKeys, stageText } from "./words.ts";

// CallScreen is a call that fills the window.
export function CallScreen({
  live,
  model,
  media,
  onPip,
  onCheck,
}: {
  live: LiveCall;
  model: Model;
  media: Media;
  onPip: (() => void) | undefined;
  onCheck: () => void;
}) {
  const t = useText();
  const state = useSnapshot(live.state);
  const own = useSnapshot(live.own.state);
  const now = useSeconds();
  const [pane, setPane] = useState<Pane>();
  const [toast, say] = useToast();
  const section = useRef<HTMLElement>(null);
  useKeys(live);
  const news = useNews(live, say);
  const { room } = live.entry;
  const direct = room.kind === "direct";
  const people = state.call?.people ?? [];
  const alone = !people.some((p) => !p.me);
  const { grade } = gradeOf(state.quality);

  // The keys of a call work from the first moment on.
  useEffect(() => section.current?.focus(), []);

  return (
    <section ref={section} className={css.screen} aria-label={t("call.region", { name: room.title })} tabIndex={-1}>
      <header className={css.head}>
        <IconButton label={t("call.chat")} onClick={() => live.look({ full: false })}>
          <MessageCircle size={21} />
        </IconButton>
        <div className={css.title}>
          <h2>{room.title}</h2>
          <small data-again={state.stage.at === "again" || undefined}>
            <ShieldCheck size={14} aria-hidden="true" />
            {stageText(t, state, room.title, direct, now)}
          </small>
        </div>
        {(grade === "fair" || grade === "poor") && (
          <button
            type="button"
            className={css.grade}
            data-grade={grade}
            aria-label={t(gradeKeys[grade])}
            onClick={() => setPane("devices")}
          >
            <GradeIcon grade={grade} />
            <span>{t(gradeKeys[grade])}</span>
          </button>
        )}
        {people.length > 2 && (
          <IconButton
            label={t(state.layout === "grid" ? "call.speakerView" : "call.grid")}
            onClick={() => live.look({ layout: state.layout === "grid" ? "speaker" : "grid", pinned: undefined })}
          >
            {state.layout === "grid" ? <RectangleHorizontal size={21} /> : <LayoutGrid size={21} />}
          </IconButton>
        )}
        {onPip && (
          <IconButton label={t("call.pip")} onClick={onPip}>
            <PictureInPicture2 size={21} />
          </IconButton>
        )}
      </header>
      <div className={css.middle} data-pane={pane}>
        <div className={css.ground}>
          {state.call && !(direct && alone) ? (
            <Stage live={live} />
          ) : (
            <div className={css.waiting}>
              <Avatar id={room.peer ?? room.id} name={room.title} shape={direct ? "person" : "group"} size={132} />
              <strong>{room.title}</strong>
              <p role="status">{stageText(t, state, room.title, direct, now)}</p>
            </div>
          )}
          {!direct && alone && state.stage.at === "in" && (
            <div className={css.alone}>
              <strong>{t("call.alone")}</strong>
              <p>{t("call.aloneLead")}</p>
              <Button look="main" onClick={() => setPane("people")}>
                {t("call.people")}
              </Button>
            </div>
          )}
          <ul className={css.reactions} aria-hidden="true">
            {state.reactions.map((r) => (
              <li key={r.key}>
                <span>{r.emoji}</span>
                <small>{r.name}</small>
              </li>
            ))}
          </ul>
          <Hint own={own} />
        </div>
        {pane && (
          <aside className={css.aside} aria-label={t(pane === "people" ? "call.people" : "call.devices")}>
            <header>
              <h2>{t(pane === "people" ? "call.people" : "call.devices")}</h2>
              <IconButton
                label={t(pane === "people" ? "call.closePane" : "do.close")}
                onClick={() => setPane(undefined)}
              >
                <X size={20} />
              </IconButton>
            </header>
            {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scroller must be reachable by keyboard */}
            <div className="scroll" tabIndex={0}>
              {pane === "people" ? (
                <PeoplePane live={live} model={model} onSay={say} />
              ) : (
                <DevicePanel live={live} media={media} onCheck={onCheck} />
              )}
            </div>
          </aside>
        )}
      </div>
      <Controls
        live={live}
        canShare={media.canShare}
        pane={pane}
        onPane={(p) => setPane(pane === p ? undefined : p)}
        onSay={say}
      />
      <p className="unseen" role="status">
        {news}
      </p>
      <Toast text={toast} />
    </section>
  );
}

// Hint says what a muted person must know.
function Hint({ own }: { own: { microphone: { on: boolean; track: unknown; trouble: unknown }; held: boolean } }) {
  const t = useText();
  const { microphone, held } = own;
  if (microphone.trouble)
    return (
      <p className={css.hint} data-bad="">
        {t("call.listening")}
      </p>
    );
  if (held) return <p className={css.hint}>{t("call.held")}</p>;
  if (!microphone.on && microphone.track) return <p className={css.hint}>{t("call.space")}</p>;
  return null;
}
