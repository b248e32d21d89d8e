import type { Call, CallParticipant, CallSlot, Source, View } from "../../core/api.gen.ts";

/** Wanted is a picture that stands on screen, and how high it is there, in pixels. */
export interface Wanted {
  readonly number: number;
  readonly source: Source;
  readonly height: number;
}

export const nameOf = (w: { readonly number: number; readonly source: Source }) => `${w.number} ${w.source}`;

// How many places for pictures are offered: one more page of tiles each.
const sizes = [4, 9, 16, 25] as const;

/** slotsFor is how many video slots so many pictures need. */
export function slotsFor(pictures: number): number {
  return sizes.find((s) => s >= pictures) ?? 25;
}

/**
 * assign gives each wanted picture a slot. Who has one keeps it, so that a
 * picture does not blink when others come and go; what finds none is left out.
 */
export function assign(wanted: readonly Wanted[], mids: readonly string[], before: readonly View[]): readonly View[] {
  const free = new Set(mids);
  const views = new Map<string, View>();
  for (const w of wanted) {
    const mid = before.find((v) => nameOf(v) === nameOf(w))?.mid;
    if (mid === undefined || !free.delete(mid)) continue;
    views.set(nameOf(w), { ...w, mid });
  }
  for (const w of wanted) {
    if (views.has(nameOf(w))) continue;
    const mid = free.values().next().value;
    if (mid === undefined) break;
    free.delete(mid);
    views.set(nameOf(w), { ...w, mid });
  }
  return [...views.values()];
}

/** sameViews says whether the server need hear nothing new. */
export function sameViews(a: readonly View[], b: readonly View[]): boolean {
  return (
    a.length === b.length &&
    a.every((v, n) => {
      const w = b[n];
      return w && v.mid === w.mid && nameOf(v) === nameOf(w) && Math.abs(v.height - w.height) < 32;
    })
  );
}

/** Tile is one participant's place on screen, or a screen that is shared. */
export interface Tile {
  readonly key: string;
  readonly who: CallParticipant;
  readonly source: Source;
  readonly picture: boolean; // there is one to show
}

export type Layout = "grid" | "speaker";

export interface Arrangement {
  readonly main: readonly Tile[];
  readonly side: readonly Tile[]; // the strip beside a large picture
  readonly more: number; // who has no place on screen
}

const mostTiles = 25;

/**
 * arrange says who stands where. A shared screen, or what was pinned, is large;
 * in the speaker's view it is who spoke last. Oneself stands last.
 */
export function arrange(
  call: Call,
  layout: Layout,
  pinned: string | undefined,
  spoke: readonly number[], // numbers, who spoke last first
): Arrangement {
  const others = call.people.filter((p) => !p.me);
  const mine = call.people.filter((p) => p.me);
  const rank = (p: CallParticipant) => {
    const n = spoke.indexOf(p.number);
    return n === -1 ? spoke.length : n;
  };
  const faces = others.map(face);
  const screens = call.people.filter((p) => p.screen && !p.me).map((p) => tileOf(p, "screen"));
  const large =
    [...screens, ...faces, ...mine.map(face)].find((t) => t.key === pinned) ??
    screens.at(-1) ??
    (others.length === 1 ? faces[0] : undefined) ?? // of two people the other is large
    (layout === "speaker" ? [...faces].sort((a, b) => rank(a.who) - rank(b.who))[0] : undefined);
  // Beyond a page, those who speak come in; within it nobody moves.
  const order =
    faces.length >= mostTiles
      ? [...faces].sort((a, b) => rank(a.who) - rank(b.who) || a.who.number - b.who.number)
      : faces;
  const rest = [...screens.filter((t) => t !== large), ...order.filter((t) => t.key !== large?.key)];
  const self = mine.map(face).filter((t) => t.key !== large?.key);
  const room = mostTiles - self.length - (large ? 1 : 0);
  const small = [...rest.slice(0, room), ...self];
  const more = Math.max(0, rest.length - room);
  return large ? { main: [large], side: small, more } : { main: small, side: [], more };
}

function face(who: CallParticipant): Tile {
  return tileOf(who, "camera");
}

function tileOf(who: CallParticipant, source: "camera" | "screen"): Tile {
  return { key: nameOf({ number: who.number, source }), who, source, picture: source === "screen" || who.camera };
}

/** midOf is the slot in which a picture arrives, if it does. */
export function midOf(slots: readonly CallSlot[], number: number, source: Source): string | undefined {
  return slots.find((s) => s.number === number && s.source === source && !s.paused)?.mid;
}
