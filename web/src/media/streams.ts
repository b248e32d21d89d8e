import type { Keyring } from "./keyring.ts";
import { clearBytes, openFrame, readHeader, sealFrame, smallest } from "./sframe.ts";

/** Frame is the part of RTCEncodedAudioFrame and RTCEncodedVideoFrame that we touch. */
export interface Frame {
  data: ArrayBuffer;
}

export type MediaKind = "audio" | "video";

/**
 * sealInto seals a frame in its place and says whether it may leave. Empty
 * frames are those of DTX, which would tell how long somebody is silent.
 */
export async function sealInto(ring: Keyring, source: number, kind: MediaKind, frame: Frame): Promise<boolean> {
  if (frame.data.byteLength === 0) return false;
  const by = await ring.seal(source);
  if (!by) return false;
  const plain = new Uint8Array(frame.data);
  frame.data = (await sealFrame(by.frameKey, by.kid, by.ctr, plain, clearBytes(kind, plain))).buffer;
  return true;
}

const patience = 400; // ms that a frame waits for its key, or for word of whose slot it came in
const mostWaiting = 64; // frames

interface Waiting<F> {
  readonly frame: F;
  readonly kid: number;
  readonly until: number;
}

/** Owner is whom a slot was announced to carry, and nobody else is let out of it. */
export interface Owner {
  readonly leaf: number; // -1: somebody without a leaf, of whom nothing opens
  readonly source: number;
}

/** Counts is what became of a slot's frames. */
export interface Counts {
  opened: number;
  refused: number; // by key id: unknown for too long, not a member, not the slot's owner
  failed: number; // did not open
  repeated: number;
}

// Opening opens the frames of one slot, in their order. Frames that may wait do
// so without holding up those of others.
export class Opening<F extends Frame> {
  readonly counts: Counts = { opened: 0, refused: 0, failed: 0, repeated: 0 };
  readonly #ring: Keyring;
  readonly #kind: MediaKind;
  readonly #out: (frame: F) => void;
  readonly #lost: () => void;
  readonly #now: () => number;
  #owner: Owner | undefined;
  #waiting: Waiting<F>[] = [];
  #tail: Promise<void> = Promise.resolve();
  #broken = false; // frames were lost since the last one that opened

  // lost is called when frames come again after some did not, so that a decoder
  // asks for a whole picture.
  constructor(
    ring: Keyring,
    kind: MediaKind,
    out: (frame: F) => void,
    lost: () => void,
    now = () => performance.now(),
  ) {
    this.#ring = ring;
    this.#kind = kind;
    this.#out = out;
    this.#lost = lost;
    this.#now = now;
  }

  take(frame: F): Promise<void> {
    return this.#next(() => this.#take(frame));
  }

  /** again tries what waits, after keys or slots changed. */
  again(): Promise<void> {
    return this.#next(async () => {
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const w of waiting) {
        if (w.until > this.#now()) await this.#take(w.frame, w.until);
        else this.#refuse();
      }
    });
  }

  set owner(owner: Owner | undefined) {
    if (owner?.leaf === this.#owner?.leaf && owner?.source === this.#owner?.source) return;
    this.#owner = owner;
    void this.again();
  }

  #next(work: () => Promise<void>): Promise<void> {
    this.#tail = this.#tail.then(work, work);
    return this.#tail;
  }

  async #take(frame: F, until = this.#now() + patience): Promise<void> {
    const sealed = new Uint8Array(frame.data);
    const clear = clearBytes(this.#kind, sealed);
    const header = readHeader(sealed, clear);
    if (!header || sealed.length < clear + header.size + smallest - 1) return this.#refuse();
    const { say, leaf, source } = this.#ring.judge(header.kid);
    if (say === "never") return this.#refuse();
    const theirs = leaf === this.#owner?.leaf && source === this.#owner?.source;
    if (say === "wait" || !theirs || this.#waiting.some((w) => w.kid === header.kid)) {
      return this.#wait({ frame, kid: header.kid, until });
    }
    const key = await this.#ring.open(header.kid);
    if (!key) return this.#refuse();
    if (key.taken.has(header.ctr)) {
      this.counts.repeated++;
      return;
    }
    try {
      const plain = await openFrame(key.frameKey, header, sealed, clear);
      if (!key.taken.take(header.ctr)) {
        this.counts.repeated++; // another slot was quicker
        return;
      }
      frame.data = plain.buffer;
    } catch {
      this.counts.failed++; // one opaque error, whatever it was
      this.#broken = true;
      return;
    }
    this.counts.opened++;
    if (this.#broken) {
      this.#broken = false;
      this.#lost();
    }
    this.#out(frame);
  }

  #wait(w: Waiting<F>): void {
    // Those whose time is up went unheard; the others keep their order.
    const now = this.#now();
    const kept = this.#waiting.filter((x) => x.until > now);
    for (let n = kept.length; n < this.#waiting.length; n++) this.#refuse();
    if (kept.length < mostWaiting) kept.push(w);
    else this.#refuse();
    this.#waiting = kept;
  }

  #refuse(): void {
    this.counts.refused++;
    this.#broken = true;
  }
}
