import type { AccountID, RoomID, TypingNow } from "../core/api.gen.ts";
import type { Core } from "../core/core.ts";
import { Store } from "./store.ts";

export type TypingByRoom = ReadonlyMap<RoomID, readonly string[]>;

// Typing is who is writing where, by name. A name leaves when its time is up
// or when a message of that person arrives.
export class Typing {
  readonly rooms = new Store<TypingByRoom>(new Map());
  readonly #now: () => number;
  readonly #live = new Map<RoomID, Map<AccountID, TypingNow>>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(core: Core, now: () => number = Date.now) {
    this.#now = now;
    core.on("typing", (t) => {
      const room = this.#live.get(t.room) ?? new Map<AccountID, TypingNow>();
      this.#live.set(t.room, room.set(t.account, t));
      this.#publish();
    });
    core.on("timeline", ({ room, items }) => {
      const typing = this.#live.get(room);
      if (!typing) return;
      for (const item of items) if (item.from) typing.delete(item.from);
      this.#publish();
    });
  }

  #publish(): void {
    const now = this.#now();
    let next = Number.POSITIVE_INFINITY;
    const rooms = new Map<RoomID, readonly string[]>();
    for (const [id, people] of this.#live) {
      for (const [who, t] of people) {
        if (t.until <= now) people.delete(who);
        else next = Math.min(next, t.until);
      }
      if (people.size > 0)
        rooms.set(
          id,
          [...people.values()].map((t) => t.name),
        );
      else this.#live.delete(id);
    }
    this.rooms.set(rooms);
    clearTimeout(this.#timer);
    if (next < Number.POSITIVE_INFINITY) this.#timer = setTimeout(() => this.#publish(), next - now);
  }
}
