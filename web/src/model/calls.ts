import type { Call, CallID, Ring, Room, RoomID } from "../core/api.gen.ts";
import type { Core } from "../core/core.ts";
import type { Media } from "../media/media.ts";
import type { Tune } from "../media/tones.ts";
import type { Entry, LiveCall } from "./call/live.ts";
import { Store } from "./store.ts";

export interface CallList {
  readonly byRoom: ReadonlyMap<RoomID, Call>;
  readonly rings: readonly Ring[];
}

// What calls need besides the core. It is fetched when the first call is made:
// most pages never make one.
export interface CallParts {
  readonly LiveCall: typeof LiveCall;
  readonly media: Media;
  readonly sound: (tune: Tune) => () => void;
}

const keptKey = "veche.call.devices";

// Calls is which calls go on, what rings, and the one that this tab is in.
export class Calls {
  readonly list = new Store<CallList>({ byRoom: new Map(), rings: [] });
  readonly live = new Store<LiveCall | undefined>(undefined);
  // A part of the program could not be fetched: no call can be made just now.
  readonly unfetched = new Store<boolean>(false);
  readonly #core: Core;
  readonly #load: () => Promise<CallParts>;
  #silence: (() => void) | undefined;

  constructor(core: Core, load: () => Promise<CallParts> = browserParts) {
    this.#core = core;
    this.#load = load;
    core.on("call", (call) => this.#put(call));
    core.on("ring", (ring) => {
      const { rings } = this.list.snapshot();
      this.#rings([...rings.filter((r) => r.call !== ring.call), ring]);
    });
    core.on("ringEnd", ({ call }) => this.#rings(this.list.snapshot().rings.filter((r) => r.call !== call)));
    globalThis.addEventListener?.("pagehide", () => this.live.snapshot()?.leave());
  }

  async refresh(): Promise<void> {
    const got = await this.#core.call("calls", {});
    if (!got.ok) return;
    this.list.update({ byRoom: new Map(got.value.calls.filter((c) => !c.ended).map((c) => [c.room, c])) });
    this.#rings(got.value.rings);
  }

  clear(): void {
    this.hangUp();
    this.list.update({ byRoom: new Map() });
    this.#rings([]);
  }

  /** dial calls the other person of a direct room; in a group it opens the lobby. */
  async dial(room: Pick<Room, "id" | "kind" | "title" | "peer">, video: boolean): Promise<void> {
    const { live } = this;
    const going = live.snapshot();
    if (going && going.entry.room.id === room.id && going.state.snapshot().stage.at !== "over") {
      return going.look({ full: true });
    }
    const there = this.list.snapshot().byRoom.get(room.id);
    const call = await this.#open({
      room: { id: room.id, kind: room.kind, title: room.title },
      ...(there ? { call: there.id } : {}),
      video,
      ring: room.kind === "direct",
    });
    if (!call) return;
    if (room.kind === "direct") await call.enter();
    else await call.lookFirst();
  }

  async answer(ring: Ring, video: boolean): Promise<void> {
    this.#rings(this.list.snapshot().rings.filter((r) => r.call !== ring.call));
    const parts = await this.#parts();
    if (!parts) return;
    const { entryOf } = await import("./call/live.ts");
    const call = await this.#open(entryOf(ring, video));
    await call?.enter();
  }

  async decline(ring: Ring): Promise<void> {
    this.#rings(this.list.snapshot().rings.filter((r) => r.call !== ring.call));
    const busy = false; // who declines while in another call says so by declining
    await this.#core.call("declineCall", { call: ring.call, busy });
  }

  /** parts are fetched for whoever needs media without a call: the test of one's devices. */
  media(): Promise<Media | undefined> {
    return this.#parts().then((p) => p?.media);
  }

  /** playTone lets one hear whether the loudspeaker works. */
  async playTone(): Promise<void> {
    (await this.#parts())?.sound("join");
  }

  /** hangUp ends the call that this tab is in, wherever it stands. */
  hangUp(): void {
    this.live.snapshot()?.leave();
    this.live.set(undefined);
  }

  /** close puts the screen of a call away that is over. */
  close(): void {
    const call = this.live.snapshot();
    if (call?.state.snapshot().stage.at === "lobby") call.close();
    this.live.set(undefined);
  }

  async #open(entry: Entry): Promise<LiveCall | undefined> {
    const parts = await this.#parts();
    if (!parts) return undefined;
    this.live.snapshot()?.leave();
    const { LiveCall, media, sound } = parts;
    const call = new LiveCall({ core: this.#core, media, sound, kept: { read: kept, write: keep } }, entry);
    this.live.set(call);
    return call;
  }

  async #parts(): Promise<CallParts | undefined> {
    try {
      const parts = await this.#load();
      this.unfetched.set(false);
      return parts;
    } catch {
      this.unfetched.set(true);
      return undefined;
    }
  }

  #put(call: Call): void {
    const byRoom = new Map(this.list.snapshot().byRoom);
    if (!call.ended) byRoom.set(call.room, call);
    else if (byRoom.get(call.room)?.id === call.id) byRoom.delete(call.room);
    this.list.update({ byRoom });
    if (call.ended) this.#rings(this.list.snapshot().rings.filter((r) => r.call !== call.id));
  }

  #rings(rings: readonly Ring[]): void {
    if (rings.length > 0 || this.list.snapshot().rings.length > 0) this.list.update({ rings });
    if (rings.length === 0) {
      this.#silence?.();
      this.#silence = undefined;
    } else this.#silence ??= this.#ringAloud();
  }

  // One tab of a browser rings aloud; all show it.
  #ringAloud(): () => void {
    let over: () => void = () => {};
    const silent = new Promise<void>((resolve) => {
      over = resolve;
    });
    let ended = false;
    void silent.then(() => {
      ended = true;
    });
    const aloud = async () => {
      const parts = await this.#parts();
      if (!parts || ended) return;
      const stop = parts.sound("ring");
      await silent;
      stop();
    };
    if (navigator.locks) void navigator.locks.request("veche-ring", aloud);
    else void aloud();
    return over;
  }
}

async function browserParts(): Promise<CallParts> {
  const [live, browser, tones] = await Promise.all([
    import("./call/live.ts"),
    import("../media/browser.ts"),
    import("../media/tones.ts"),
  ]);
  return { LiveCall: live.LiveCall, media: browser.browserMedia(), sound: tones.sound };
}

function kept(): Readonly<Record<string, string>> {
  try {
    return JSON.parse(localStorage.getItem(keptKey) ?? "{}") as Record<string, string>;
  } catch {
    return {};
  }
}

function keep(chosen: object): void {
  try {
    localStorage.setItem(keptKey, JSON.stringify(chosen));
  } catch {
    // It holds until the page is closed.
  }
}

/** isCallLink says whether a place in the site is a link to a call: /call/ID#SECRET. */
export function isCallLink(path: string): boolean {
  return /^\/call\/[a-z2-7]+$/i.test(path);
}

/** callOfLink is the call that a link names. */
export function callOfLink(link: string): CallID {
  return (link.match(/^\/call\/([a-z2-7]+)/i)?.[1] ?? "") as CallID;
}
