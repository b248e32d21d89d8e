import type { Item } from "../core/api.gen.ts";

// windowSize is how many messages stand in the page at most. More make typing
// and scrolling slow on phones; fewer would show the seams when one scrolls.
export const windowSize = 120;

// Rows is the stretch of a room's timeline that is on screen, by Item.order.
export interface Rows {
  readonly items: readonly Item[];
  readonly older: boolean; // there is something before the first
  readonly newer: boolean; // … after the last
}

// merged puts new and changed items where they belong and takes away what is
// gone. Items beyond an open end are left out: they are fetched when the person
// scrolls there.
export function merged(rows: Rows, items: readonly Item[], gone: readonly string[] = []): Rows {
  const away = new Set(gone);
  const byId = new Map(rows.items.filter((i) => !away.has(i.id)).map((i) => [i.id, i]));
  const first = rows.items[0]?.order ?? Number.NEGATIVE_INFINITY;
  const last = rows.items.at(-1)?.order ?? Number.POSITIVE_INFINITY;
  let newer = rows.newer;
  for (const item of items) {
    if (away.has(item.id)) continue;
    if (!byId.has(item.id)) {
      if (rows.older && item.order < first) continue;
      if (rows.newer && item.order > last) continue;
      if (rows.items.length === 0 && (rows.older || rows.newer)) {
        newer = true;
        continue;
      }
    }
    byId.set(item.id, item);
  }
  return { ...rows, newer, items: sorted(byId.values()) };
}

// extended adds a page that was fetched at one end.
export function extended(rows: Rows, page: readonly Item[], end: "older" | "newer", more: boolean): Rows {
  const byId = new Map([...page, ...rows.items].map((i) => [i.id, i]));
  return { ...rows, items: sorted(byId.values()), [end]: more };
}

// trimmed cuts to windowSize, at the end that the person does not look at.
export function trimmed(rows: Rows, keep: "start" | "end", size = windowSize): Rows {
  if (rows.items.length <= size) return rows;
  if (keep === "start") return { ...rows, items: rows.items.slice(0, size), newer: true };
  return { ...rows, items: rows.items.slice(-size), older: true };
}

function sorted(items: Iterable<Item>): readonly Item[] {
  return [...items].sort((a, b) => a.order - b.order);
}

// groupGap is the pause after which the same person's next message stands apart.
const groupGap = 5 * 60_000;

// Line is one thing that the conversation shows, in order.
export type Line =
  | { readonly kind: "unread"; readonly key: string }
  | { readonly kind: "note"; readonly key: string; readonly item: Item }
  | {
      readonly kind: "message";
      readonly key: string;
      readonly item: Item;
      readonly opens: boolean; // first of a group: carries the name
      readonly closes: boolean; // last of a group: carries the tail and the picture
    };

// Day is what was said on one day. The start of this device's history stands
// before the first, without a date.
export interface Day {
  readonly key: string;
  readonly time: number | undefined;
  readonly lines: readonly Line[];
}

// days says what stands between and around the items: on which day, the unread
// divider, and which messages form a group.
export function days(items: readonly Item[], firstUnread?: string, keyOf = (id: string) => id): readonly Day[] {
  const all: { key: string; time: number | undefined; lines: Line[] }[] = [];
  items.forEach((item, n) => {
    const before = items[n - 1];
    const after = items[n + 1];
    const key = item.kind === "start" ? "start" : new Date(item.time).toDateString();
    let day = all.at(-1);
    if (day?.key !== key) {
      // A clock that ran wrong may come back to a day that was.
      const again = all.filter((d) => d.key.startsWith(key)).length;
      day = { key: again ? `${key} ${again}` : key, time: item.kind === "start" ? undefined : item.time, lines: [] };
      all.push(day);
    }
    const out = day.lines;
    if (item.id === firstUnread) out.push({ kind: "unread", key: "unread" });
    if (item.kind === "change" || item.kind === "start") {
      out.push({ kind: "note", key: keyOf(item.id), item });
      return;
    }
    out.push({
      kind: "message",
      key: keyOf(item.id),
      item,
      opens: item.id === firstUnread || !before || !together(before, item),
      closes: !after || after.id === firstUnread || !together(item, after),
    });
  });
  return all;
}

function together(a: Item, b: Item): boolean {
  return (
    a.kind !== "change" &&
    a.kind !== "start" &&
    b.kind !== "change" &&
    b.kind !== "start" &&
    a.mine === b.mine &&
    a.from === b.from &&
    b.time - a.time < groupGap &&
    new Date(a.time).toDateString() === new Date(b.time).toDateString()
  );
}
