import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { useText } from "../../i18n/text.ts";
import { arrange, midOf, type Tile as Place, type Wanted } from "../../model/call/gallery.ts";
import type { LiveCall } from "../../model/call/live.ts";
import { useSnapshot } from "../../model/useSnapshot.ts";
import css from "./Stage.module.css";
import { Tile } from "./Tile.tsx";

const gap = 8; // px between tiles, as in the style sheet
// On a phone that is held upright, tiles are less wide.
const shapeIn = (width: number) => (width < 600 ? 4 / 3 : 16 / 9);

// columns is how many columns make the tiles largest.
export function columns(
  count: number,
  width: number,
  height: number,
): { readonly columns: number; readonly height: number } {
  const shape = shapeIn(width);
  let best = { columns: 1, height: 0 };
  for (let n = 1; n <= count; n++) {
    const rows = Math.ceil(count / n);
    const w = (width - gap * (n - 1)) / n;
    const h = Math.min((height - gap * (rows - 1)) / rows, w / shape);
    if (h > best.height) best = { columns: n, height: h };
  }
  return best;
}

function useSize(): [(e: HTMLElement | null) => void, { readonly width: number; readonly height: number }] {
  const [element, setElement] = useState<HTMLElement | null>(null);
  const [size, setSize] = useState({ width: 800, height: 500 });
  useLayoutEffect(() => {
    if (!element) return;
    const measure = () => setSize({ width: element.clientWidth, height: element.clientHeight });
    const watch = new ResizeObserver(measure);
    watch.observe(element);
    measure();
    return () => watch.disconnect();
  }, [element]);
  return [setElement, size];
}

// Stage is everybody's place on the screen of a call.
export function Stage({ live }: { live: LiveCall }) {
  const t = useText();
  const { call, slots, speakers, spoke, layout, pinned } = useSnapshot(live.state);
  const own = useSnapshot(live.own.state);
  const [mainRef, main] = useSize();
  const people = call?.people;
  const order = layout === "speaker" || (people?.length ?? 0) >= 25 ? spoke : nobody;
  const shown = useMemo(
    () => (call ? arrange(call, layout, pinned, order) : { main: [], side: [], more: 0 }),
    [call, layout, pinned, order],
  );
  const alone = shown.side.length === 0;
  const grid = columns(shown.main.length, main.width, main.height);
  useWanted(live, shown.main, shown.side, grid.height);

  const tile = (place: Place, small: boolean) => {
    const { number, me } = place.who;
    const mid = midOf(slots, number, place.source);
    const mine = place.source === "camera" ? own.camera.track : undefined;
    const track = me ? mine : place.picture && mid !== undefined ? live.connection.track(mid) : undefined;
    return (
      <Tile
        key={place.key}
        tile={place}
        track={track}
        paused={slots.some((s) => s.number === number && s.source === place.source && s.paused)}
        speaks={speakers.includes(number)}
        pinned={pinned === place.key}
        small={small}
        face={small ? 44 : Math.round(Math.min(132, Math.max(44, grid.height * 0.36)))}
        onPin={
          (people?.length ?? 0) > 2 || pinned
            ? () => live.look({ pinned: pinned === place.key ? undefined : place.key })
            : undefined
        }
      />
    );
  };
  return (
    <div className={css.stage} data-alone={alone || undefined}>
      <ul
        ref={mainRef}
        className={css.main}
        aria-label={t("call.people")}
        data-one={shown.main.length === 1 || undefined}
        style={
          shown.main.length > 1
            ? {
                gridTemplateColumns: `repeat(${grid.columns}, minmax(0, ${Math.floor(grid.height * shapeIn(main.width))}px))`,
                gridAutoRows: `${Math.floor(grid.height)}px`,
              }
            : {}
        }
      >
        {shown.main.map((p) => tile(p, grid.height < 110))}
      </ul>
      {!alone && <ul className={`${css.side} scroll`}>{shown.side.map((p) => tile(p, true))}</ul>}
      {shown.more > 0 && <p className={css.more}>{t("call.moreTiles", { n: shown.more })}</p>}
    </div>
  );
}

const nobody: readonly number[] = [];
const sideHeight = 110; // px

// useWanted tells the connection which pictures are on screen, and how large.
function useWanted(live: LiveCall, main: readonly Place[], side: readonly Place[], height: number): void {
  const before = useRef("");
  useEffect(() => {
    const of = (places: readonly Place[], h: number): Wanted[] =>
      places
        .filter((p) => p.picture && !p.who.me && p.who.leaf >= 0)
        .map((p) => ({ number: p.who.number, source: p.source, height: Math.round(h * devicePixelRatio) }));
    const wanted = [...of(main, main.length === 1 ? Math.max(height, 360) : height), ...of(side, sideHeight)];
    const text = JSON.stringify(wanted);
    if (text === before.current) return;
    before.current = text;
    live.connection.show(wanted);
  }, [live, main, side, height]);
}
