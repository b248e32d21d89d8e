import type { CallKeys } from "../core/api.gen.ts";
import { scriptURL } from "../core/tabs/trusted.ts";
import type { Counts, MediaKind, Owner } from "./streams.ts";
import address from "./worker.ts?worker&url";

/** StreamPart says which stream a transform is in. */
export type StreamPart =
  | { readonly way: "seal"; readonly kind: MediaKind; readonly source: number }
  | { readonly way: "open"; readonly kind: MediaKind; readonly place: number };

/** PlaceOwner is whom the m-line at a place was announced to carry. */
export type PlaceOwner = Owner & { readonly place: number };

/** From the page to the worker. */
export type ToSealer =
  | { readonly kind: "keys"; readonly keys: CallKeys }
  | { readonly kind: "slots"; readonly slots: readonly PlaceOwner[] }
  | { readonly kind: "count" };

export type Counted = Counts & { readonly place: number };

/** From the worker to the page, when asked. */
export type FromSealer = {
  readonly kind: "counts";
  readonly sealed: number; // own frames, since the beginning
  readonly counts: readonly Counted[];
};

interface Transform {
  readonly brand?: "RTCRtpScriptTransform";
}
type TransformMaker = new (worker: Worker, options: StreamPart) => Transform;
type Transformable = (RTCRtpSender | RTCRtpReceiver) & { transform?: Transform | null };

const maker = () => (globalThis as { RTCRtpScriptTransform?: TransformMaker }).RTCRtpScriptTransform;

/** canSeal says whether this browser lets frames be sealed. Where it does not there are no calls. */
export function canSeal(): boolean {
  return maker() !== undefined && typeof RTCPeerConnection === "function";
}

// Sealer is the page's end of the worker that seals: one for each connection,
// so that with a connection its keys are gone too.
export class Sealer {
  readonly #worker: Worker;
  readonly #failed: () => void;

  constructor(failed: () => void) {
    this.#failed = failed;
    this.#worker = new Worker(scriptURL(address) as unknown as URL, { type: "module", name: "veche-media" });
    this.#worker.onerror = () => this.#failed();
  }

  seal(sender: RTCRtpSender, kind: MediaKind, source: number): void {
    this.#attach(sender, { way: "seal", kind, source });
  }

  open(receiver: RTCRtpReceiver, kind: MediaKind, place: number): void {
    this.#attach(receiver, { way: "open", kind, place });
  }

  setKeys(keys: CallKeys): void {
    this.#tell({ kind: "keys", keys });
  }

  setSlots(slots: readonly PlaceOwner[]): void {
    this.#tell({ kind: "slots", slots });
  }

  /** counts asks how many frames were sealed, and how many of each slot opened. */
  counts(): Promise<FromSealer> {
    return new Promise((resolve) => {
      this.#worker.addEventListener("message", (e) => resolve(e.data as FromSealer), { once: true });
      this.#tell({ kind: "count" });
    });
  }

  close(): void {
    this.#worker.terminate();
  }

  #attach(end: Transformable, part: StreamPart): void {
    const Maker = maker();
    if (!Maker) throw new Error("frames cannot be sealed here");
    end.transform = new Maker(this.#worker, part);
  }

  #tell(message: ToSealer): void {
    this.#worker.postMessage(message);
  }
}
