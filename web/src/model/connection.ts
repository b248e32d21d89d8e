import type { Connection, Status } from "../core/api.gen.ts";
import { type Snapshots, Store } from "./store.ts";

// patience is how long a lost connection stays unmentioned, in milliseconds:
// most are back before anybody has noticed.
const patience = 3000;

// ShownConnection is the state of the connection as the person sees it.
export class ShownConnection {
  readonly shown = new Store<Connection>("online");
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(status: Snapshots<Status | undefined>, now: () => number = Date.now) {
    const look = () => {
      clearTimeout(this.#timer);
      const s = status.snapshot();
      if (!s || s.connection === "online") return this.shown.set("online");
      const wait = s.since + patience - now();
      if (wait <= 0) return this.shown.set(s.connection);
      this.#timer = setTimeout(look, wait);
    };
    status.subscribe(look);
    look();
  }
}
