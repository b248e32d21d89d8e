import type { Room, RoomID } from "../core/api.gen.ts";
import type { Core } from "../core/core.ts";
import { Store } from "./store.ts";

export interface RoomList {
  readonly loaded: boolean;
  readonly rooms: readonly Room[]; // newest first
  readonly byId: ReadonlyMap<RoomID, Room>; // also rooms that are open but not made yet
}

// Rooms is the chat list, as the core's store has it.
export class Rooms {
  readonly list = new Store<RoomList>({ loaded: false, rooms: [], byId: new Map() });
  readonly #core: Core;
  readonly #rows = new Map<RoomID, Room>();
  // Direct rooms that were opened and in which nothing has been said: the core
  // does not list them, but their conversation is on screen.
  readonly #unmade = new Map<RoomID, Room>();

  constructor(core: Core) {
    this.#core = core;
    core.on("rooms", ({ rooms, gone }) => {
      for (const room of rooms) this.#rows.set(room.id, room);
      for (const id of gone) this.#rows.delete(id);
      this.#publish(this.list.snapshot().loaded);
    });
  }

  async refresh(): Promise<void> {
    const got = await this.#core.call("rooms", {});
    if (!got.ok) return;
    this.#rows.clear();
    for (const room of got.value.rooms) this.#rows.set(room.id, room);
    this.#publish(true);
  }

  // put shows a room that the core just answered with, before it is listed.
  put(room: Room): void {
    if (this.#rows.has(room.id)) return;
    this.#unmade.set(room.id, room);
    this.#publish(this.list.snapshot().loaded);
  }

  clear(): void {
    this.#rows.clear();
    this.#unmade.clear();
    this.#publish(false);
  }

  isMade(id: RoomID): boolean {
    return this.#rows.has(id);
  }

  #publish(loaded: boolean): void {
    for (const id of this.#unmade.keys()) if (this.#rows.has(id)) this.#unmade.delete(id);
    const rooms = [...this.#rows.values()].sort(byTime);
    const byId = new Map([...this.#unmade, ...rooms.map((r) => [r.id, r] as const)]);
    this.list.set({ loaded, rooms, byId });
  }
}

function byTime(a: Room, b: Room): number {
  return b.time - a.time || (a.id < b.id ? -1 : 1);
}

// unreadTotal is the number for the browser's title.
export function unreadTotal(rooms: readonly Room[]): number {
  return rooms.reduce((sum, r) => sum + r.unread, 0);
}

// matching keeps what has every word of the query somewhere in its name.
export function matching<T>(things: readonly T[], query: string, name: (t: T) => string): readonly T[] {
  const words = fold(query).split(/\s+/).filter(Boolean);
  if (words.length === 0) return things;
  return things.filter((t) => {
    const text = fold(name(t));
    return words.every((w) => text.includes(w));
  });
}

// fold makes letters comparable: case and accents do not count, and ё is е.
function fold(s: string): string {
  return s.toLocaleLowerCase().replaceAll("ё", "е").normalize("NFD").replace(/\p{M}/gu, "");
}
