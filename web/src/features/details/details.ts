import type { RoomDetails, RoomID } from "../../core/api.gen.ts";
import type { Core } from "../../core/core.ts";
import { Store } from "../../model/store.ts";

// Details is the view model of the details pane: it asks the core again
// whenever the room changes, because the members come from the group itself.
export class Details {
  readonly state = new Store<RoomDetails | undefined>(undefined);
  readonly room: RoomID;
  readonly #core: Core;
  #turn = 0;

  constructor(core: Core, room: RoomID) {
    this.#core = core;
    this.room = room;
  }

  // listen keeps the details fresh until the returned function is called.
  listen(): () => void {
    const deaf = this.#core.on("rooms", ({ rooms }) => {
      if (rooms.some((r) => r.id === this.room)) void this.refresh();
    });
    const alone = this.#core.onRestart(() => void this.refresh());
    void this.refresh();
    return () => {
      deaf();
      alone();
      this.#turn++;
    };
  }

  async refresh(): Promise<void> {
    const turn = ++this.#turn;
    const got = await this.#core.call("room", { room: this.room });
    if (turn === this.#turn && got.ok) this.state.set(got.value);
  }
}
