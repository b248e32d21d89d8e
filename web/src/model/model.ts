import type { AccountID, Room, RoomID } from "../core/api.gen.ts";
import type { Core, Result } from "../core/core.ts";
import { type CallParts, Calls } from "./calls.ts";
import { ShownConnection } from "./connection.ts";
import { Devices, Notices } from "./devices.ts";
import { Files } from "./files.ts";
import { People } from "./people.ts";
import { Rooms } from "./rooms.ts";
import { Session } from "./session.ts";
import { Timeline } from "./timeline.ts";
import { Typing } from "./typing.ts";

// Model is everything that screens look at. It is made once, over one core.
export class Model {
  readonly core: Core;
  readonly session: Session;
  readonly connection: ShownConnection;
  readonly rooms: Rooms;
  readonly people: People;
  readonly devices: Devices;
  readonly notices: Notices;
  readonly typing: Typing;
  readonly files: Files;
  readonly calls: Calls;
  // The timeline on screen, kept while the person looks elsewhere, so that going
  // back and forth costs nothing.
  #timeline: Timeline | undefined;

  constructor(core: Core, callParts?: () => Promise<CallParts>) {
    this.core = core;
    this.session = new Session(core);
    this.connection = new ShownConnection(this.session.status);
    this.rooms = new Rooms(core);
    this.people = new People(core);
    this.devices = new Devices(core);
    this.notices = new Notices(core);
    this.typing = new Typing(core);
    this.files = new Files(core);
    this.calls = new Calls(core, callParts);
  }

  // start asks for everything once, and again whenever this device becomes
  // ready or another core takes over.
  start(): void {
    let ready = false;
    this.session.status.subscribe(() => {
      const phase = this.session.status.snapshot()?.phase;
      if (phase === "ready" && !ready) this.#refreshLists();
      if (phase === "fresh") this.#forget();
      // Nobody sees a call any more, and no microphone stays open behind that.
      if (phase === "ended") this.calls.clear();
      ready = phase === "ready";
    });
    this.core.onRestart(() => {
      void this.session.refresh();
      this.#refreshLists();
      void this.#timeline?.refresh();
    });
    void this.session.refresh();
  }

  timeline(room: RoomID): Timeline {
    if (this.#timeline?.room !== room) {
      this.#timeline?.close();
      this.#timeline = new Timeline(this.core, room);
    }
    return this.#timeline;
  }

  async openDirect(person: AccountID): Promise<Result<Room>> {
    const got = await this.core.call("openDirect", { person });
    if (got.ok) this.rooms.put(got.value);
    return got;
  }

  async createGroup(name: string, members: readonly AccountID[]): Promise<Result<Room>> {
    const got = await this.core.call("createGroup", { name, members });
    if (got.ok) this.rooms.put(got.value);
    return got;
  }

  // forget leaves nothing of the person who signed out to the next one.
  #forget(): void {
    this.#timeline?.close();
    this.#timeline = undefined;
    this.calls.clear();
    this.rooms.clear();
    this.files.clear();
    this.people.list.set({ loaded: false, people: [], byId: new Map() });
    this.devices.list.set(undefined);
    this.notices.list.set([]);
  }

  #refreshLists(): void {
    void this.rooms.refresh();
    void this.people.refresh();
    void this.devices.refresh();
    void this.notices.refresh();
    void this.calls.refresh();
  }
}
