import type { CallKeys } from "../core/api.gen.ts";
import { deriveKey, type FrameKey, type Kid, packKid, Replay, unpackKid } from "./sframe.ts";

/** OpenKey is a key of somebody else's frames, and which of them were taken. */
export interface OpenKey {
  readonly frameKey: FrameKey;
  readonly taken: Replay;
}

interface Epoch {
  readonly number: number;
  readonly name: string; // the base key as it came
  readonly base: Uint8Array<ArrayBuffer>;
  readonly open: Map<number, Promise<OpenKey>>; // by key id
  readonly ofLeaf: Map<number, number>; // how many of these are of a leaf
}

/** Verdict says what becomes of a frame before it is tried. */
export type Verdict = { readonly say: "open" | "wait" | "never" } & Partial<Kid>;

const mostKeys = 8192; // of one epoch: a member could make up key ids without end …
const mostOfLeaf = 256; // … and is to silence nobody else by it

// Keyring holds the keys of a call and says which frames they may open. A frame
// of an epoch that is not known yet may wait for its key.
export class Keyring {
  #epochs: readonly Epoch[] = []; // newest last
  #own: { readonly leaf: number; readonly join: number } | undefined;
  #seal: { readonly epoch: Epoch; readonly keys: Map<number, Promise<FrameKey>> } | undefined;
  // Which leaves may be opened, in which epochs: one that is gone from the room
  // in none, and one that is somebody else's now only since it is.
  #leaves: ReadonlyMap<number, ReadonlySet<number>> = new Map();
  // What was sealed under each key and key id. It is never forgotten, so that
  // keys which come twice, or late, never seal under a counter that was used.
  readonly #counts = new Map<string, number>();

  /**
   * set takes the keys of a call, under one join number for good. Keys under another
   * are of a connection that has replaced this one, here or in another tab, and that
   * counts from 0 as well: this one is over, and seals and opens nothing more.
   */
  set(keys: CallKeys): void {
    if (this.#own && this.#own.join !== keys.join) {
      this.#epochs = [];
      this.#seal = undefined;
      return;
    }
    this.#own = { leaf: keys.leaf, join: keys.join };
    this.#leaves = new Map(keys.leaves.map((l) => [l.leaf, new Set(l.epochs)]));
    const before = this.#epochs;
    this.#epochs = keys.epochs.map(
      ({ epoch, key }) =>
        before.find((e) => e.number === epoch && e.name === key) ?? {
          number: epoch,
          name: key,
          base: Uint8Array.from(atob(key), (c) => c.charCodeAt(0)),
          open: new Map(),
          ofLeaf: new Map(),
        },
    );
    const sealing = keys.epochs.findIndex((e) => e.seal);
    const epoch = this.#epochs[sealing];
    if (!epoch) this.#seal = undefined;
    else if (this.#seal?.epoch !== epoch) this.#seal = { epoch, keys: new Map() };
  }

  /** seal gives what the next own frame of a source is sealed with; undefined while there is no key. */
  async seal(source: number): Promise<{ frameKey: FrameKey; kid: number; ctr: number } | undefined> {
    const by = this.#seal;
    if (!by || !this.#own) return undefined;
    const kid = packKid({ epoch: by.epoch.number, source, ...this.#own });
    const key = by.keys.get(kid) ?? deriveKey(by.epoch.base, kid);
    by.keys.set(kid, key);
    const name = `${kid} ${by.epoch.name}`;
    const ctr = this.#counts.get(name) ?? 0;
    this.#counts.set(name, ctr + 1);
    return { frameKey: await key, kid, ctr };
  }

  /** judge says whether frames under a key id may be opened. */
  judge(kid: number): Verdict {
    const parts = unpackKid(kid);
    if (!parts) return { say: "never" };
    const epoch = this.#epochs.find((e) => e.number === parts.epoch);
    if (!epoch) return { say: "wait", ...parts };
    return { say: this.#leaves.get(parts.leaf)?.has(parts.epoch) ? "open" : "never", ...parts };
  }

  /** open gives the key for a key id that judge lets open. */
  async open(kid: number): Promise<OpenKey | undefined> {
    const epoch = this.#epochs.find((e) => e.number === kid % 256);
    if (!epoch) return undefined;
    const known = epoch.open.get(kid);
    if (known) return known;
    const leaf = unpackKid(kid)?.leaf ?? 0;
    const n = epoch.ofLeaf.get(leaf) ?? 0;
    if (epoch.open.size >= mostKeys || n >= mostOfLeaf) return undefined;
    epoch.ofLeaf.set(leaf, n + 1);
    const made = deriveKey(epoch.base, kid).then((frameKey) => ({ frameKey, taken: new Replay() }));
    epoch.open.set(kid, made);
    return made;
  }
}
