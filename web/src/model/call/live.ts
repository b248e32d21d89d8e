import type {
  AccountID,
  Call,
  CallID,
  CallKnock,
  CallQuality,
  CallReaction,
  CallSlot,
  FailureCode,
  Ring,
  RingAnswer,
  Room,
} from "../../core/api.gen.ts";
import type { Core, Result } from "../../core/core.ts";
import type { Media } from "../../media/media.ts";
import type { Tune } from "../../media/tones.ts";
import { Store } from "../store.ts";
import { Connection } from "./connection.ts";
import type { Layout } from "./gallery.ts";
import { type Kept, OwnMedia } from "./own.ts";

/** Over says why a call is over for this device. */
export type Over =
  | { readonly why: "left" | "ended" | "removed" | "refused" | "elsewhere" | "lost" | "unsealed" }
  | { readonly why: "declined" | "busy" | "none"; readonly name: string }
  | { readonly why: "failed"; readonly code: FailureCode };

/** Stage is how far one is into a call. */
export type Stage =
  | { readonly at: "lobby" }
  | { readonly at: "joining" }
  | { readonly at: "in"; readonly since: number }
  | { readonly at: "again"; readonly since: number } // the connection was lost and is being made anew
  | { readonly at: "over"; readonly over: Over };

export interface LiveState {
  readonly stage: Stage;
  readonly call: Call | undefined; // as the core last told it
  readonly slots: readonly CallSlot[];
  readonly speakers: readonly number[]; // loudest first
  readonly spoke: readonly number[]; // who spoke last first
  readonly quality: CallQuality | undefined;
  readonly rung: ReadonlyMap<AccountID, RingAnswer>;
  readonly reactions: readonly (CallReaction & { readonly key: number })[];
  readonly knocks: readonly CallKnock[];
  readonly volumes: ReadonlyMap<AccountID, number>; // 0 to 1; 1 where there is none
  readonly asked: { readonly key: number; readonly what: "mute" | "hand"; readonly name: string } | undefined;
  readonly hand: boolean;
  readonly full: boolean; // else a small window beside the chats
  readonly layout: Layout;
  readonly pinned: string | undefined;
}

/** How a call is entered: one that is there, or a new one. */
export interface Entry {
  readonly room: Pick<Room, "id" | "kind" | "title" | "peer">;
  readonly call?: CallID;
  readonly video: boolean;
  readonly ring: boolean; // ring the others when it is new
}

export interface Cfg {
  readonly core: Core;
  readonly media: Media;
  readonly kept: Kept;
  readonly sound: (tune: Tune) => () => void;
  readonly now?: () => number;
}

const reactionTime = 5000; // ms
const unanswered = 3500; // ms that "declined" stands before the call closes
const aloneFor = 60_000; // ms that a direct call waits for the other to come back

// LiveCall is the call that this tab is in, from the lobby to the end. How it is
// connected is Connection's business, what one sends OwnMedia's.
export class LiveCall {
  readonly key = crypto.randomUUID();
  readonly entry: Entry;
  readonly media: Media;
  readonly own: OwnMedia;
  readonly state: Store<LiveState>;
  readonly connection: Connection;
  readonly #core: Core;
  readonly #sound: Cfg["sound"];
  readonly #now: () => number;
  readonly #unhear: (() => void)[] = [];
  #waiting: (() => void) | undefined; // stops the tone that one waits by
  #met = false; // somebody else was in since this device came in last
  #alone: ReturnType<typeof setTimeout> | undefined;
  #refused: ReturnType<typeof setTimeout> | undefined;
  #count = 0;
  #looked = false; // in the lobby, where the camera may have been turned off again
  #told = "";

  constructor({ core, media, kept, sound, now = Date.now }: Cfg, entry: Entry) {
    this.entry = entry;
    this.media = media;
    this.#core = core;
    this.#sound = sound;
    this.#now = now;
    this.state = new Store<LiveState>({
      stage: media.canSeal ? { at: "lobby" } : { at: "over", over: { why: "unsealed" } },
      call: undefined,
      slots: [],
      speakers: [],
      spoke: [],
      quality: undefined,
      rung: new Map(),
      reactions: [],
      knocks: [],
      volumes: new Map(),
      asked: undefined,
      hand: false,
      full: true,
      layout: "grid",
      pinned: undefined,
    });
    this.own = new OwnMedia(media, kept, () => this.#tellState());
    this.connection = new Connection({
      core,
      media,
      own: this.own,
      state: this.state,
      now,
      joined: () => this.#tellState(true),
      over: (o) => this.#cut(o),
    });
    this.own.state.subscribe(() => this.connection.setSpeaker(this.own.state.snapshot().chosen.speaker ?? ""));
    this.#hear();
  }

  /** enter starts the call if there is none, and joins it. */
  async enter(how: { readonly call: CallID | undefined; readonly ring: boolean } = this.#asked()): Promise<void> {
    if (this.state.snapshot().stage.at !== "lobby") return;
    this.state.update({ stage: { at: "joining" } });
    const { room, video } = this.entry;
    const { ring } = how;
    await this.own.open(video && !this.#looked);
    let id = how.call;
    if (!id) {
      const got = await this.#core.call("startCall", { room: room.id, video, ring });
      if (!got.ok) return this.#end({ why: "failed", code: got.failure.code });
      id = got.value.id;
      if (!this.#isOver()) this.#put(got.value);
    }
    // Hung up before it began: whom it rings is told.
    if (this.#isOver()) void this.#core.call("leaveCall", { call: id });
    else await this.connection.join(id);
  }

  /** lookFirst opens what the lobby shows. */
  async lookFirst(): Promise<void> {
    this.#looked = true;
    await this.own.open(this.entry.video);
  }

  leave(over: Over = { why: "left" }): void {
    const { call } = this.state.snapshot();
    if (call && !this.#isOver()) void this.#core.call("leaveCall", { call: call.id });
    this.#end(over);
  }

  setHand(up: boolean): void {
    this.state.update({ hand: up });
    this.#tellState();
  }

  react(emoji: string): Promise<Result<object>> | undefined {
    const { call } = this.state.snapshot();
    if (!call) return undefined;
    const me = call.people.find((p) => p.me);
    this.#show({ call: call.id, number: call.me, name: me?.name ?? "", emoji });
    return this.#core.call("reactInCall", { call: call.id, emoji });
  }

  setVolume(account: AccountID, volume: number): void {
    this.state.update({ volumes: new Map(this.state.snapshot().volumes).set(account, volume) });
    this.connection.setVolumes();
  }

  look(part: Partial<Pick<LiveState, "full" | "layout" | "pinned">>): void {
    this.state.update(part);
  }

  async answerKnock(knock: CallKnock, admit: boolean): Promise<Result<object>> {
    const got = await this.#core.call(admit ? "admit" : "refuseKnock", { call: knock.call, account: knock.account });
    if (got.ok) this.state.update({ knocks: this.state.snapshot().knocks.filter((k) => k !== knock) });
    return got;
  }

  /** close ends all that this call holds; the other tabs and the server hear nothing. */
  close(): void {
    clearTimeout(this.#alone);
    clearTimeout(this.#refused);
    this.#waiting?.();
    this.#waiting = undefined;
    for (const unhear of this.#unhear.splice(0)) unhear();
    this.connection.close();
    this.own.close();
  }

  #hear(): void {
    const on = this.#core.on.bind(this.#core);
    const mine = (call: CallID) => {
      const { stage, call: now } = this.state.snapshot();
      return stage.at !== "lobby" && call === (now?.id ?? this.entry.call);
    };
    this.#unhear.push(
      on("call", (call) => mine(call.id) && this.#put(call)),
      on("callSlots", ({ call, slots }) => mine(call) && this.connection.setSlots(slots)),
      on("callSpeakers", ({ call, numbers }) => {
        if (!mine(call)) return;
        const before = this.state.snapshot().spoke;
        const spoke = [...numbers, ...before.filter((n) => !numbers.includes(n))].slice(0, 64);
        this.state.update({ speakers: numbers, spoke });
      }),
      on("callQuality", (quality) => mine(quality.call) && this.state.update({ quality })),
      on("callPause", ({ call, layers }) => mine(call) && this.connection.setLayers(layers)),
      on("callKeys", ({ call }) => mine(call) && void this.connection.refreshKeys()),
      on("callReaction", (r) => mine(r.call) && r.number !== this.state.snapshot().call?.me && this.#show(r)),
      on("callAsked", ({ call, what, name }) => mine(call) && this.#obey(what, name)),
      on("callKnock", (knock) => mine(knock.call) && this.#knock(knock)),
      on("ringAnswer", (answer) => mine(answer.call) && this.#answered(answer)),
      on("callGone", ({ call, why }) => mine(call) && this.connection.gone(why)),
      this.#core.onRestart(() => this.connection.check()),
      this.state.subscribe(() => this.#toneOf()),
    );
  }

  #put(call: Call): void {
    const before = this.state.snapshot().call;
    this.state.update({ call });
    if (call.ended) {
      this.#end({ why: "ended" });
      return;
    }
    const others = (c: Call | undefined) => c?.people.filter((p) => !p.me).map((p) => p.number) ?? [];
    const now = others(call);
    const inside = this.state.snapshot().stage.at === "in";
    if (before && inside && before.me === call.me && call.people.length <= 20) {
      const was = others(before);
      if (now.some((n) => !was.includes(n))) this.#sound("join");
      else if (was.some((n) => !now.includes(n))) this.#sound("leave");
      const raised = call.people.some(
        (p) => !p.me && p.hand && !before.people.find((b) => b.number === p.number)?.hand,
      );
      if (raised) this.#sound("hand");
    }
    if (before?.me !== call.me) this.#met = false;
    if (now.length > 0) this.#met = true;
    else if (inside && this.entry.room.kind === "direct" && this.#met) {
      this.leave({ why: "ended" });
      return;
    }
    this.#aloneIn(call);
    this.connection.changed(before);
  }

  // A direct call in which nobody is any more, not even to ring, ends by itself.
  #aloneIn(call: Call): void {
    clearTimeout(this.#alone);
    const ringing = [...this.state.snapshot().rung.values()].some((r) => r.how === "ringing");
    if (this.entry.room.kind !== "direct" || ringing || call.people.some((p) => !p.me)) return;
    this.#alone = setTimeout(() => this.leave({ why: "none", name: this.entry.room.title }), aloneFor + 5000);
  }

  #answered(answer: RingAnswer): void {
    this.state.update({ rung: new Map(this.state.snapshot().rung).set(answer.account, answer) });
    if (answer.how === "ringing" || this.entry.room.kind !== "direct" || this.#met) return;
    this.#waiting?.();
    this.#waiting = undefined;
    const over = { why: answer.how, name: answer.name } as const;
    this.#sound("over");
    clearTimeout(this.#refused);
    this.#refused = setTimeout(() => !this.#met && this.leave(over), unanswered);
  }

  // toneOf plays the tone that one waits by, while somebody's devices ring.
  #toneOf(): void {
    const { stage, call, rung } = this.state.snapshot();
    const alone = call !== undefined && !call.people.some((p) => !p.me);
    const rings = stage.at === "in" && alone && [...rung.values()].some((r) => r.how === "ringing");
    if (rings) this.#waiting ??= this.#sound("wait");
    else {
      this.#waiting?.();
      this.#waiting = undefined;
    }
  }

  #obey(what: "mute" | "hand", name: string): void {
    if (what === "mute") {
      this.own.hold(false);
      void this.own.setMicrophone(false);
    } else this.setHand(false);
    this.state.update({ asked: { key: ++this.#count, what, name } });
  }

  #knock(knock: CallKnock): void {
    const { knocks } = this.state.snapshot();
    if (knocks.some((k) => k.account === knock.account)) return;
    this.#sound("hand");
    this.state.update({ knocks: [...knocks, knock] });
  }

  #show(reaction: CallReaction): void {
    const key = ++this.#count;
    // A member could send without end; what is on screen stays readable.
    this.state.update({ reactions: [...this.state.snapshot().reactions.slice(-11), { ...reaction, key }] });
    setTimeout(() => {
      this.state.update({ reactions: this.state.snapshot().reactions.filter((r) => r.key !== key) });
    }, reactionTime);
  }

  // tellState says to the others what changed of one's own.
  #tellState(always = false): void {
    const { call, hand, stage } = this.state.snapshot();
    if (!call || call.me === 0 || stage.at === "over") return;
    const { microphone, held, camera, screen } = this.own.state.snapshot();
    const said = {
      call: call.id,
      muted: !(microphone.on || held),
      camera: camera.on,
      screen: screen.picture !== undefined,
      hand,
    };
    const text = JSON.stringify([call.me, said]);
    if (text === this.#told && !always) return;
    this.#told = text;
    void this.#core.call("setCallState", said);
  }

  #asked() {
    return { call: this.entry.call, ring: this.entry.ring };
  }

  #isOver(): boolean {
    return this.state.snapshot().stage.at === "over";
  }

  // cut ends the call for a reason that lies with the connection. Where the
  // server may still count this device in, it is told.
  #cut(over: Over): void {
    if (over.why === "lost" || over.why === "unsealed" || over.why === "failed") this.leave(over);
    else this.#end(over);
  }

  #end(over: Over): void {
    if (this.#isOver()) return;
    const quiet = over.why === "left" || over.why === "elsewhere" || this.state.snapshot().stage.at === "lobby";
    this.close();
    if (!quiet) this.#sound("over");
    this.state.update({ stage: { at: "over", over }, full: true, speakers: [], slots: [] });
  }

  /** since is the moment from which the call's length counts. */
  get started(): number {
    return this.state.snapshot().call?.started ?? this.#now();
  }
}

/** entryOf is how a ring is answered. */
export function entryOf(ring: Ring, video: boolean): Entry {
  return {
    room: { id: ring.room, kind: ring.direct ? "direct" : "group", title: ring.direct ? ring.name : ring.title },
    call: ring.call,
    video,
    ring: false,
  };
}
