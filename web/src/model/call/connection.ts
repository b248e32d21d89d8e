import type { Call, CallGoneReason, CallID, CallLayer, CallSlot, FailureCode, View } from "../../core/api.gen.ts";
import type { Core } from "../../core/core.ts";
import type { Line, Media, SlotOwner, Sound } from "../../media/media.ts";
import { sourceNumber } from "../../media/sframe.ts";
import type { Store } from "../store.ts";
import { assign, sameViews, slotsFor, type Wanted } from "./gallery.ts";
import type { LiveState, Over } from "./live.ts";
import type { OwnMedia } from "./own.ts";
import { Watch } from "./watch.ts";

const audioSlots = 8;
const silenceAbove = 8; // participants: beyond, silence goes unsent, though that shows who talks when
const look = 1000; // ms between looks at the line's health
const giveUp = 60_000; // ms: so long the server keeps a call in which nobody is
const restartTime = 4000; // ms that new ICE credentials have to bring media back
const pauses = [0, 500, 1000, 2000, 4000] as const; // ms before each attempt to join anew; the last is repeated

interface Cfg {
  readonly core: Core;
  readonly media: Media;
  readonly own: OwnMedia;
  readonly state: Store<LiveState>;
  readonly now: () => number;
  readonly joined: () => void; // the first time and each further one
  readonly over: (over: Over) => void;
}

// Connection keeps this device connected to a call: it joins, notices when
// nothing arrives any more, begins anew, and joins again if that does not help.
// docs/spec/calls.md#vanishing-and-coming-back
export class Connection {
  readonly #core: Core;
  readonly #media: Media;
  readonly #own: OwnMedia;
  readonly #state: Store<LiveState>;
  readonly #now: () => number;
  readonly #joined: () => void;
  readonly #over: (over: Over) => void;
  #call: CallID | undefined;
  #line: Line | undefined;
  #sound: Sound | undefined;
  #speaker = "";
  #watch: Watch;
  #timer: ReturnType<typeof setInterval> | undefined;
  #joining = false;
  #joinedAt = 0;
  #number = 0; // own, as of the newest joining
  #restartedAt = 0; // 0: not in the middle of it
  #lostAt = 0; // 0: connected
  #asking = false; // for keys
  #askAgain = false;
  #wanted: readonly Wanted[] = [];
  #views: readonly View[] = [];
  #videoSlots = 4;
  #growing = false;
  #closed = false;
  readonly #unhear: () => void;

  constructor({ core, media, own, state, now, joined, over }: Cfg) {
    this.#core = core;
    this.#media = media;
    this.#own = own;
    this.#state = state;
    this.#now = now;
    this.#joined = joined;
    this.#over = over;
    this.#watch = new Watch(now());
    // What the server forgot while it was away is found out at once.
    let away = false;
    this.#unhear = core.on("status", (s) => {
      if (s.connection === "online" && away) this.check();
      away = s.connection !== "online";
    });
  }

  /** join takes part with this device. A failure ends the call for it. */
  async join(call: CallID): Promise<void> {
    this.#call = call;
    const wrong = await this.#attempt();
    if (wrong) return this.#over({ why: "failed", code: wrong });
    this.#timer = setInterval(() => void this.#look(), look);
  }

  /** tracks are the streams of the slots, to be shown. */
  track(mid: string): MediaStreamTrack | undefined {
    return this.#line?.slots().find((s) => s.mid === mid)?.track;
  }

  /** show says which pictures are on screen. */
  show(wanted: readonly Wanted[]): void {
    this.#wanted = wanted;
    this.#tellViews();
    void this.#grow();
  }

  setSlots(slots: readonly CallSlot[]): void {
    this.#state.update({ slots });
    this.#tellOwners();
  }

  /** changed follows who is in the call. */
  changed(before: Call | undefined): void {
    this.#tellOwners();
    const { call, stage } = this.#state.snapshot();
    if (!call) return;
    // The device is in under a number that this tab did not ask for: another one joined.
    if (!this.#joining && call.me !== 0 && call.me !== this.#number) {
      this.#over({ why: "elsewhere" });
      return;
    }
    void this.#line?.setSilence(call.people.length > silenceAbove);
    // The server, or a core that took over, no longer counts this device in.
    if (before?.me && call.me === 0 && stage.at === "in") void this.#again();
  }

  setLayers(layers: readonly CallLayer[]): void {
    void this.#line?.setLayers(layers);
  }

  setSpeaker(id: string): void {
    if (id === this.#speaker) return;
    this.#speaker = id;
    this.#sound?.setSpeaker(id);
  }

  setVolumes(): void {
    const { call, slots, volumes } = this.#state.snapshot();
    for (const s of slots) {
      const who = call?.people.find((p) => p.number === s.number);
      if (who) this.#sound?.setVolume(s.mid, volumes.get(who.account) ?? 1);
    }
  }

  /** refreshKeys asks for the keys; the answer that was asked for last counts. */
  async refreshKeys(): Promise<void> {
    if (this.#asking) {
      this.#askAgain = true;
      return;
    }
    this.#asking = true;
    do {
      this.#askAgain = false;
      const line = this.#line;
      if (!this.#call || !line) break;
      const got = await this.#core.call("callKeys", { call: this.#call });
      if (got.ok && line === this.#line) line.setKeys(got.value);
      else if (!got.ok && got.failure.code === "not_found") void this.#again();
    } while (this.#askAgain);
    this.#asking = false;
  }

  gone(why: CallGoneReason): void {
    switch (why) {
      case "ended":
      case "removed":
      case "refused":
        this.#over({ why });
        return;
      case "replaced":
        // Told of our own coming back, or of another tab's joining.
        if (!this.#joining && this.#now() - this.#joinedAt > 3000) this.#over({ why: "elsewhere" });
        return;
      case "lost":
        void this.#again();
    }
  }

  /** check finds out whether the server still counts this device in. */
  async check(): Promise<void> {
    if (!this.#call || this.#joining || this.#closed) return;
    const got = await this.#core.call("calls", {});
    if (!got.ok) return;
    const mine = got.value.calls.find((c) => c.id === this.#call);
    if (!mine || mine.me === 0) void this.#again();
  }

  close(): void {
    this.#closed = true;
    this.#unhear();
    clearInterval(this.#timer);
    this.#line?.close();
    this.#sound?.close();
    this.#line = undefined;
  }

  // attempt connects once, and says why it could not.
  async #attempt(): Promise<FailureCode | undefined> {
    const call = this.#call;
    if (!call) return "not_found";
    this.#joining = true;
    // Before the server is asked: who is in which slot may be told before the answer is in place.
    this.#state.update({ slots: [] });
    const line = this.#media.line({
      audioSlots,
      videoSlots: this.#videoSlots,
      failed: () => void this.#again(),
    });
    try {
      const got = await this.#core.call("joinCall", { call, offer: await line.offer() });
      if (this.#closed || !got.ok) {
        line.close();
        return got.ok ? undefined : got.failure.code;
      }
      const { value } = got;
      line.setKeys(value.keys);
      this.#line?.close();
      this.#sound?.close();
      this.#line = line;
      this.#sound = this.#media.sound();
      this.#sound.setSpeaker(this.#speaker);
      this.#views = [];
      this.#joinedAt = this.#now();
      this.#number = value.number;
      this.#restartedAt = 0;
      this.#watch = new Watch(this.#joinedAt);
      await line.accept(value.answer, value.turn);
      for (const s of line.slots()) if (s.kind === "audio") this.#sound.play(s.mid, s.track);
      await this.#own.attach(line);
      if (this.#closed) return undefined;
      this.#state.update({ call: value.call, stage: { at: "in", since: this.#joinedAt } });
      this.#lostAt = 0;
      this.#joined();
      this.changed(undefined);
      this.#tellViews();
      void this.#grow();
      void this.refreshKeys();
      return undefined;
    } catch {
      // The browser does not take what the server answered.
      line.close();
      return "internal";
    } finally {
      this.#joining = false;
    }
  }

  // again joins anew until it works, or the server has forgotten the call.
  async #again(): Promise<void> {
    if (this.#joining || this.#closed || !this.#call) return;
    this.#joining = true; // nobody else begins meanwhile
    const began = this.#lost();
    for (let n = 0; !this.#closed; n++) {
      await this.#wait(pauses[Math.min(n, pauses.length - 1)] ?? 0);
      if (this.#closed) return;
      const wrong = await this.#attempt();
      if (!wrong) return;
      this.#joining = true;
      if (wrong === "not_allowed" || this.#now() - began > giveUp) break;
      if (wrong === "not_found" && n > 6) break;
    }
    if (!this.#closed) this.#over({ why: "lost" });
  }

  async #look(): Promise<void> {
    const line = this.#line;
    const { call, stage } = this.#state.snapshot();
    if (!line || !call || this.#joining) return;
    const health = await line.health();
    if (line !== this.#line || this.#joining || this.#closed) return;
    if (health.unsealed) {
      this.#over({ why: "unsealed" });
      return;
    }
    const sends = call.people.some((p) => !p.me && !p.away && p.known && !p.muted);
    const expected = sends && call.people.length <= silenceAbove && this.#watch.begun;
    const now = this.#now();
    if (this.#watch.lives(health, expected, now)) {
      if (stage.at === "again") this.#state.update({ stage: { at: "in", since: now } });
      this.#lostAt = 0;
      this.#restartedAt = 0;
      return;
    }
    this.#lost();
    if (this.#restartedAt === 0) await this.#restart(line);
    else if (now - this.#restartedAt > restartTime) void this.#again();
  }

  // restart gives ICE new credentials, which is enough when the network changed.
  async #restart(line: Line): Promise<void> {
    if (!this.#call) return;
    this.#restartedAt = this.#now();
    const got = await this.#core.call("offerCall", { call: this.#call, offer: await line.offer({ restart: true }) });
    if (line !== this.#line) return;
    if (got.ok) await line.accept(got.value.answer);
    else if (got.failure.code !== "offline") void this.#again();
  }

  #lost(): number {
    this.#lostAt ||= this.#now();
    const { stage } = this.#state.snapshot();
    if (stage.at === "in") this.#state.update({ stage: { at: "again", since: this.#lostAt } });
    return this.#lostAt;
  }

  // tellOwners binds each slot to who was announced for it. Who has no leaf gets
  // −1, which no key id has: nothing of them opens.
  #tellOwners(): void {
    const { call, slots } = this.#state.snapshot();
    const owners: readonly SlotOwner[] = slots.map((s) => ({
      mid: s.mid,
      source: sourceNumber[s.source],
      leaf: call?.people.find((p) => p.number === s.number)?.leaf ?? -1,
    }));
    this.#line?.setSlots(owners);
    this.setVolumes();
  }

  #tellViews(): void {
    if (!this.#line || !this.#call || this.#state.snapshot().stage.at === "joining") return;
    const mids = this.#line.slots().flatMap((s) => (s.kind === "video" ? [s.mid] : []));
    const views = assign(this.#wanted, mids, this.#views);
    if (sameViews(views, this.#views)) return;
    this.#views = views;
    void this.#core.call("viewCall", { call: this.#call, views });
  }

  // grow offers more places for pictures when there are more of them.
  async #grow(): Promise<void> {
    const line = this.#line;
    const needed = slotsFor(this.#wanted.length);
    if (!line || !this.#call || needed <= this.#videoSlots || this.#growing || this.#joining) return;
    this.#growing = true;
    const got = await this.#core.call("offerCall", {
      call: this.#call,
      offer: await line.offer({ videoSlots: needed }),
    });
    this.#growing = false;
    if (!got.ok || line !== this.#line) return; // the pictures that fit are shown
    await line.accept(got.value.answer);
    this.#videoSlots = needed;
    this.#tellViews();
    await this.#grow();
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }
}
