import type { Call, CallID, CallParticipant, JoinedCall, Room, RoomID } from "../../src/core/api.gen.ts";
import type { Health, Line, Media, Sound } from "../../src/media/media.ts";
import { type Entry, LiveCall } from "../../src/model/call/live.ts";
import { Desk } from "../item.ts";

export const id = "callaaaaaaaaaaaaaaaaaaaaaa" as CallID;
export const room = {
  id: "roomaaaaaaaaaaaaaaaaaaaaaa" as RoomID,
  kind: "direct",
  title: "Bob",
} as const satisfies Pick<Room, "id" | "kind" | "title">;

export function participant(number: number, more: Partial<CallParticipant> = {}): CallParticipant {
  return {
    number,
    account: `account${number}` as never,
    device: `device${number}` as never,
    name: `P${number}`,
    leaf: number,
    me: false,
    owner: false,
    away: false,
    joined: 0,
    known: true,
    muted: false,
    camera: false,
    screen: false,
    hand: 0,
    ...more,
  };
}

export function callOf(people: readonly CallParticipant[], more: Partial<Call> = {}): Call {
  return {
    id,
    room: room.id,
    by: "account1" as never,
    name: "P1",
    started: 0,
    video: false,
    count: people.length,
    people,
    me: people.find((p) => p.me)?.number ?? 0,
    elsewhere: false,
    ended: false,
    ...more,
  };
}

export const me = participant(1, { me: true, name: "Ann" });
export const bob = participant(2, { name: "Bob" });

// FakeTrack is a track as far as the model looks at one.
export class FakeTrack extends EventTarget {
  enabled = true;
  stopped = false;
  stop(): void {
    this.stopped = true;
  }
}

export class FakeLine implements Line {
  readonly told: [string, unknown][] = [];
  closed = false;
  state: Health = { unsealed: false, heard: 0, media: 0, rtt: 10, path: "udp" };
  #video: number;

  constructor(video: number) {
    this.#video = video;
  }

  async offer(how: { restart?: boolean; videoSlots?: number } = {}): Promise<string> {
    this.#video = Math.max(this.#video, how.videoSlots ?? 0);
    return `offer ${JSON.stringify(how)}`;
  }
  async accept(answer: string): Promise<void> {
    this.told.push(["accept", answer]);
  }
  async send(source: string, track: unknown): Promise<void> {
    this.told.push(["send", { source, track }]);
  }
  async setSilence(unsent: boolean): Promise<void> {
    this.told.push(["silence", unsent]);
  }
  async setLayers(): Promise<void> {}
  setKeys(keys: unknown): void {
    this.told.push(["keys", keys]);
  }
  setSlots(slots: unknown): void {
    this.told.push(["slots", slots]);
  }
  slots() {
    return Array.from({ length: this.#video }, (_, n) => ({ mid: `v${n}`, kind: "video", track: {} }) as never);
  }
  async health(): Promise<Health> {
    return this.state;
  }
  async counts() {
    return { kind: "counts", sealed: 1, counts: [] } as const;
  }
  close(): void {
    this.closed = true;
  }
  last(what: string): unknown {
    return this.told.findLast(([w]) => w === what)?.[1];
  }
}

const noSound: Sound = { play: () => {}, setVolume: () => {}, setSpeaker: () => {}, close: () => {} };

export class FakeMedia implements Media {
  canSeal = true;
  canShare = true;
  readonly lines: FakeLine[] = [];
  readonly tracks: FakeTrack[] = [];
  denied = false;

  async microphone() {
    return this.#track();
  }
  async camera() {
    return this.#track();
  }
  async screen() {
    return { ok: false, trouble: "cancelled" } as const;
  }
  async devices() {
    return [];
  }
  onDevices() {
    return () => {};
  }
  meter() {
    return { level: () => 0.5, close: () => {} };
  }
  line({ videoSlots }: { videoSlots: number }): FakeLine {
    const line = new FakeLine(videoSlots);
    this.lines.push(line);
    return line;
  }
  sound(): Sound {
    return noSound;
  }
  async tryPath() {
    return { ok: true, rtt: 5 } as const;
  }

  #track() {
    if (this.denied) return { ok: false, trouble: "denied" } as const;
    const track = new FakeTrack();
    this.tracks.push(track);
    return { ok: true, value: track as unknown as MediaStreamTrack } as const;
  }

  get newest(): FakeLine {
    const line = this.lines.at(-1);
    if (!line) throw new Error("no line");
    return line;
  }
}

const keys = { leaf: 1, join: 1, epochs: [], leaves: [] };

// scene is a call of this device over a core that answers as it should, unless told otherwise.
export function scene(entry: Partial<Entry> = {}, answers: ConstructorParameters<typeof Desk>[0] = {}) {
  const media = new FakeMedia();
  let number = 0;
  const desk = new Desk({
    startCall: () => callOf([]),
    joinCall: (): JoinedCall => {
      number++;
      const mine = { ...me, number };
      return { number, answer: "answer", turn: [], call: callOf([mine]), keys };
    },
    offerCall: () => ({ answer: "again" }),
    callKeys: () => keys,
    calls: () => ({ calls: [callOf([me])], rings: [] }),
    ...answers,
  });
  const tunes: string[] = [];
  const live = new LiveCall(
    {
      core: desk,
      media,
      kept: { read: () => ({}), write: () => {} },
      sound: (tune) => {
        tunes.push(tune);
        return () => tunes.push(`${tune} over`);
      },
    },
    { room, video: false, ring: true, ...entry },
  );
  return { live, desk, media, tunes };
}
