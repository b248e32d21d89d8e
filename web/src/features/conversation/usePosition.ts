import { type RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";
import type { Timeline, TimelineState } from "../../model/timeline.ts";

const nearEnd = 40; // px from the bottom that still count as the end
const prefetch = 900; // px from an edge at which the next page is fetched

// Browsers without scroll anchoring need the place held by hand. Those with it
// do not hold it when the scroller stands at the very top.
const anchors = typeof CSS !== "undefined" && CSS.supports("overflow-anchor", "auto");

interface Place {
  readonly key: string;
  readonly top: number; // px from the scroller's top
  readonly at: number; // scrollTop
}

// usePosition keeps the reader's place while rows come and go: at the end it
// stays at the end, elsewhere what is being read stays where it is.
export function usePosition(
  box: RefObject<HTMLDivElement | null>,
  timeline: Timeline,
  state: TimelineState,
): { readonly away: boolean; readonly toEnd: () => void; readonly toRow: (key: string) => HTMLElement | null } {
  const [away, setAway] = useState(false);
  const place = useRef<Place | undefined>(undefined);
  const placed = useRef(false);
  const { phase, items, newer } = state;

  const row = useCallback(
    (key: string) => box.current?.querySelector<HTMLElement>(`[data-key="${CSS.escape(key)}"]`) ?? null,
    [box],
  );

  const toEnd = useCallback(() => {
    const el = box.current;
    if (el) el.scrollTop = el.scrollHeight;
  }, [box]);

  // look takes note of where the reader is and what that asks for.
  const look = useCallback(() => {
    const el = box.current;
    if (!el || !placed.current) return;
    const below = el.scrollHeight - el.scrollTop - el.clientHeight;
    const { newer } = timeline.state.snapshot();
    timeline.atEnd = !newer && below <= nearEnd;
    setAway(newer || below > Math.max(160, el.clientHeight * 0.4));
    place.current = placeIn(el);
    if (el.scrollTop < prefetch) void timeline.more("older");
    if (newer && below < prefetch) void timeline.more("newer");
    sayRead(el, timeline);
  }, [box, timeline]);

  // After rows changed, before they are painted.
  // biome-ignore lint/correctness/useExhaustiveDependencies: runs whenever rows are replaced
  useLayoutEffect(() => {
    const el = box.current;
    if (!el || phase !== "ready") return;
    if (!placed.current) {
      placed.current = true;
      const divider = el.querySelector<HTMLElement>("[data-unread]");
      if (divider) el.scrollTop = offset(divider, el) - el.clientHeight * 0.22;
      else if (!newer) toEnd();
    } else if (timeline.atEnd && !newer) {
      toEnd();
    } else if (place.current && (!anchors || place.current.at === 0)) {
      const still = row(place.current.key);
      if (still) el.scrollTop += still.getBoundingClientRect().top - el.getBoundingClientRect().top - place.current.top;
    }
    look();
  }, [items, phase]);

  // Pictures arrive, the keyboard opens, the field below grows: the end stays.
  useEffect(() => {
    const el = box.current;
    if (!el) return;
    const watch = new ResizeObserver(() => {
      if (timeline.atEnd && placed.current) toEnd();
      look();
    });
    watch.observe(el);
    if (el.firstElementChild) watch.observe(el.firstElementChild);
    const scrolled = () => {
      timeline.watched = document.visibilityState === "visible" && document.hasFocus();
      look();
      if (document.visibilityState === "hidden") timeline.left();
    };
    el.addEventListener("scroll", scrolled, { passive: true });
    addEventListener("focus", scrolled);
    addEventListener("blur", scrolled);
    document.addEventListener("visibilitychange", scrolled);
    return () => {
      watch.disconnect();
      el.removeEventListener("scroll", scrolled);
      removeEventListener("focus", scrolled);
      removeEventListener("blur", scrolled);
      document.removeEventListener("visibilitychange", scrolled);
      timeline.left();
    };
  }, [box, timeline, toEnd, look]);

  const toRow = useCallback(
    (key: string) => {
      const el = box.current;
      const target = row(key);
      if (!el || !target) return null;
      timeline.atEnd = false;
      el.scrollTop = offset(target, el) - Math.max(40, (el.clientHeight - target.offsetHeight) / 2);
      return target;
    },
    [box, row, timeline],
  );

  return { away, toEnd, toRow };
}

function offset(row: HTMLElement, box: HTMLElement): number {
  return row.getBoundingClientRect().top - box.getBoundingClientRect().top + box.scrollTop;
}

function placeIn(box: HTMLElement): Place | undefined {
  const top = box.getBoundingClientRect().top;
  for (const row of box.querySelectorAll<HTMLElement>("[data-key]")) {
    const r = row.getBoundingClientRect();
    if (r.bottom > top) return { key: row.dataset.key ?? "", top: r.top - top, at: box.scrollTop };
  }
  return undefined;
}

// sayRead tells how far the person has read: to the last row in sight, if they
// are looking at this window at all.
function sayRead(box: HTMLElement, timeline: Timeline): void {
  if (document.visibilityState !== "visible" || !document.hasFocus()) return;
  const bottom = box.getBoundingClientRect().bottom;
  const rows = [...box.querySelectorAll<HTMLElement>("[data-seq]")];
  for (const row of rows.reverse()) {
    const r = row.getBoundingClientRect();
    // A row taller than the window counts once its end or most of it was seen.
    if (r.bottom <= bottom + 8 || (r.height > box.clientHeight && r.top < bottom - box.clientHeight * 0.8)) {
      const seq = Number(row.dataset.seq);
      if (seq > 0) timeline.seen(seq);
      return;
    }
  }
}
