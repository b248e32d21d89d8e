import { Maximize2, Mic, MicOff, PhoneOff } from "lucide-react";
import { type PointerEvent, useEffect, useRef, useState } from "react";
import { useText } from "../../i18n/text.ts";
import { midOf } from "../../model/call/gallery.ts";
import type { LiveCall } from "../../model/call/live.ts";
import { useSnapshot } from "../../model/useSnapshot.ts";
import { Avatar } from "../../ui/Avatar.tsx";
import { IconButton } from "../../ui/Button.tsx";
import css from "./Mini.module.css";
import { Picture } from "./Picture.tsx";
import { useSeconds } from "./useSeconds.ts";
import { stageText } from "./words.ts";

const height = 180; // px

// Mini is a call in a corner while one goes on chatting, or in a window of its own.
export function Mini({ live, onFull, floats }: { live: LiveCall; onFull: () => void; floats: boolean }) {
  const t = useText();
  const state = useSnapshot(live.state);
  const { microphone, held } = useSnapshot(live.own.state);
  const now = useSeconds();
  const heard = microphone.on || held;
  const { room } = live.entry;
  const others = state.call?.people.filter((p) => !p.me) ?? [];
  // A shared screen, else who speaks or spoke last, else anybody.
  const sharing = others.find((p) => p.screen && p.leaf >= 0);
  const speaks = state.spoke.map((n) => others.find((p) => p.number === n)).find((p) => p);
  const who = sharing ?? speaks ?? others[0];
  const source = sharing ? "screen" : "camera";
  const picture = who !== undefined && who.leaf >= 0 && (source === "screen" || who.camera);
  const number = who?.number ?? 0;
  useEffect(() => {
    live.connection.show(picture ? [{ number, source, height }] : []);
  }, [live, number, source, picture]);
  const mid = picture ? midOf(state.slots, number, source) : undefined;
  const track = mid === undefined ? undefined : live.connection.track(mid);
  const drag = useDrag();
  const talking = who && state.speakers.includes(who.number);
  return (
    <section
      className={css.mini}
      data-floats={floats || undefined}
      aria-label={t("call.mini")}
      ref={floats ? drag.box : undefined}
    >
      <div className={css.picture} data-speaks={talking || undefined} {...(floats ? drag.handlers : {})}>
        {track ? (
          <Picture track={track} whole={source === "screen"} />
        ) : (
          <Avatar
            id={who?.account ?? room.peer ?? room.id}
            name={who?.name ?? room.title}
            shape={!who && room.kind === "group" ? "group" : "person"}
            size={72}
          />
        )}
      </div>
      <div className={css.row}>
        <button type="button" className={css.name} onClick={onFull}>
          <strong>{room.title}</strong>
          <small>{stageText(t, state, room.title, room.kind === "direct", now)}</small>
        </button>
        <IconButton
          label={t(heard ? "call.mute" : "call.unmute")}
          size={38}
          aria-pressed={!heard}
          onClick={() => void live.own.setMicrophone(!microphone.on)}
        >
          {heard ? <Mic size={19} /> : <MicOff size={19} />}
        </IconButton>
        <IconButton label={t("call.full")} size={38} onClick={onFull}>
          <Maximize2 size={18} />
        </IconButton>
        <button
          type="button"
          className={css.leave}
          aria-label={t("call.leave")}
          title={t("call.leave")}
          onClick={() => live.leave()}
        >
          <PhoneOff size={18} />
        </button>
      </div>
    </section>
  );
}

// useDrag lets a box be moved about the window by its picture.
function useDrag() {
  const box = useRef<HTMLElement>(null);
  const from = useRef<{ x: number; y: number; left: number; top: number } | undefined>(undefined);
  const [handlers] = useState(() => ({
    onPointerDown: (e: PointerEvent<HTMLElement>) => {
      const r = box.current?.getBoundingClientRect();
      if (!r) return;
      from.current = { x: e.clientX, y: e.clientY, left: r.left, top: r.top };
      e.currentTarget.setPointerCapture(e.pointerId);
    },
    onPointerMove: (e: PointerEvent<HTMLElement>) => {
      const b = box.current;
      const f = from.current;
      if (!b || !f) return;
      const within = (n: number, most: number) => Math.min(Math.max(8, n), Math.max(8, most - 8));
      b.style.left = `${within(f.left + e.clientX - f.x, innerWidth - b.offsetWidth)}px`;
      b.style.top = `${within(f.top + e.clientY - f.y, innerHeight - b.offsetHeight)}px`;
      b.style.right = "auto";
      b.style.bottom = "auto";
    },
    onPointerUp: () => {
      from.current = undefined;
    },
  }));
  return { box, handlers };
}
