// What calls need of a browser: microphones and the like, and a connection to
// the call's server. browser.ts is the real one; tests and the demo have others.
import type { CallKeys, CallLayer, JoinedTry, Source, TurnServer } from "../core/api.gen.ts";
import type { Path, Tried } from "./paths.ts";
import type { FromSealer } from "./sealer.ts";
import type { Owner } from "./streams.ts";

/** Trouble says why a device could not be used. */
export type Trouble = "denied" | "none" | "busy" | "cancelled";

export type Got<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly trouble: Trouble };

export type DeviceKind = "microphone" | "camera" | "speaker";

export interface MediaDevice {
  readonly id: string;
  readonly kind: DeviceKind;
  readonly name: string; // empty until the person allowed one of its kind
}

export interface Screen {
  readonly picture: MediaStreamTrack;
  readonly sound: MediaStreamTrack | undefined;
}

export interface Media {
  /** canSeal is false in browsers in which there are no calls. */
  readonly canSeal: boolean;
  readonly canShare: boolean;
  microphone(id: string | undefined): Promise<Got<MediaStreamTrack>>;
  camera(id: string | undefined): Promise<Got<MediaStreamTrack>>;
  screen(): Promise<Got<Screen>>;
  devices(): Promise<readonly MediaDevice[]>;
  onDevices(hear: () => void): () => void;
  meter(track: MediaStreamTrack): Meter;
  line(cfg: LineConfig): Line;
  sound(): Sound;
  tryPath(path: Path, ask: (offer: string) => Promise<JoinedTry | undefined>): Promise<Tried>;
}

/** Meter measures how loud a track is. */
export interface Meter {
  level(): number; // 0 to 1, of this moment
  close(): void;
}

/** Sound plays what is received, each slot for itself. */
export interface Sound {
  play(mid: string, track: MediaStreamTrack): void;
  setVolume(mid: string, volume: number): void; // 0 to 1
  setSpeaker(id: string): void;
  close(): void;
}

export interface LineConfig {
  readonly audioSlots: number;
  readonly videoSlots: number;
  readonly failed: () => void; // what seals has ended: the line is of no use any more
}

/** Slot is a place for somebody's picture or sound. */
export interface LineSlot {
  readonly mid: string;
  readonly kind: "audio" | "video";
  readonly track: MediaStreamTrack;
}

/** SlotOwner is whom a slot was announced to carry: leaf -1 if they have none. */
export type SlotOwner = Owner & { readonly mid: string };

/** Health is what the line has done so far. */
export interface Health {
  readonly heard: number; // grows with everything that arrives, connectivity checks too
  readonly media: number; // packets of sound and picture that arrived
  readonly unsealed: boolean; // something left, and nothing was sealed: the browser lets frames past
  readonly rtt: number | undefined; // ms
  readonly path: "udp" | "tcp" | "tls" | undefined;
}

/** Line is one connection to the forwarder of a call. */
export interface Line {
  /** offer is what to tell the server: at first, to begin anew with ICE, or with more slots. */
  offer(how?: { readonly restart?: boolean; readonly videoSlots?: number }): Promise<string>;
  /** accept takes the server's answer to the offer that was made last. */
  accept(answer: string, turn?: readonly TurnServer[]): Promise<void>;
  /** send sends a track as a source from now on, or nothing. */
  send(source: Source, track: MediaStreamTrack | undefined): Promise<void>;
  /** setSilence says whether silence may go unsent: it saves packets and shows who talks when. */
  setSilence(unsent: boolean): Promise<void>;
  setLayers(wanted: readonly CallLayer[]): Promise<void>;
  setKeys(keys: CallKeys): void;
  setSlots(slots: readonly SlotOwner[]): void;
  slots(): readonly LineSlot[];
  health(): Promise<Health>;
  counts(): Promise<FromSealer>;
  close(): void;
}
