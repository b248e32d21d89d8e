import { beforeEach, describe, expect, test } from "vitest";
import type { CallKeys, DeviceID } from "../../src/core/api.gen.ts";
import { Keyring } from "../../src/media/keyring.ts";
import { packKid } from "../../src/media/sframe.ts";
import { type Frame, Opening, sealInto } from "../../src/media/streams.ts";

const key = (n: number) => btoa(String.fromCharCode(...Array.from({ length: 16 }, (_, i) => n * 16 + i)));
type Told = Parameters<Keyring["set"]>[0];

// keys is what the core tells who has a leaf: epochs, newest last, and whose leaf is whose.
// Those named in since have their leaf since an epoch only.
function keys(
  leaf: number,
  epochs: readonly number[],
  leaves: Record<number, string>,
  seal = epochs.at(-1),
  since: Record<string, number> = {},
): CallKeys {
  return {
    leaf,
    join: 1,
    epochs: epochs.map((epoch) => ({ epoch, key: key(epoch), seal: epoch === seal })),
    leaves: Object.entries(leaves).map(([n, device]) => ({
      leaf: Number(n),
      account: device as never,
      device: device as DeviceID,
      epochs: epochs.filter((e) => e >= (since[device] ?? 0)),
    })),
  };
}

const both = { 1: "ann", 2: "bob" };
const bytes = (...b: number[]): Frame => ({ data: Uint8Array.from(b).buffer });
const list = (f: Frame) => [...new Uint8Array(f.data)];

describe("what is sealed", () => {
  let ann: Keyring;
  let bob: Keyring;
  let out: number[][];
  let lost: number;
  let now: number;
  let slot: Opening<Frame>;

  beforeEach(() => {
    ann = new Keyring();
    bob = new Keyring();
    ann.set(keys(1, [5], both));
    bob.set(keys(2, [5], both));
    out = [];
    lost = 0;
    now = 0;
    slot = new Opening<Frame>(
      bob,
      "audio",
      (f) => out.push(list(f)),
      () => lost++,
      () => now,
    );
    slot.owner = { leaf: 1, source: 0 };
  });

  const sealed = async (...b: number[]) => {
    const frame = bytes(...b);
    expect(await sealInto(ann, 0, "audio", frame)).toBe(true);
    return frame;
  };
  const again = (f: Frame): Frame => ({ data: f.data.slice(0) });

  test("opens at the other side, in order", async () => {
    for (const n of [1, 2, 3]) await slot.take(await sealed(n, n));
    expect(out).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
    ]);
  });

  test("empty frames, which would tell of silence, do not leave", async () => {
    expect(await sealInto(ann, 0, "audio", bytes())).toBe(false);
  });

  test("nothing leaves while there is no key to seal with", async () => {
    ann.set(keys(1, [5], both, -1));
    const frame = bytes(1);
    expect(await sealInto(ann, 0, "audio", frame)).toBe(false);
    expect(list(frame)).toEqual([1]);
  });

  test("a frame that comes twice is taken once, in another slot too", async () => {
    const frame = await sealed(7);
    const other = new Opening<Frame>(
      bob,
      "audio",
      (f) => out.push(list(f)),
      () => {},
      () => now,
    );
    other.owner = { leaf: 1, source: 0 };
    const copies = [again(frame), again(frame)];
    await slot.take(frame);
    for (const copy of copies) await Promise.all([slot.take(again(copy)), other.take(again(copy))]);
    expect(out).toEqual([[7]]);
    expect(slot.counts.repeated + other.counts.repeated).toBe(4);
    // Both at once, before either has opened it.
    const twice = await sealed(8);
    await Promise.all([slot.take(again(twice)), other.take(again(twice))]);
    expect(out).toEqual([[7], [8]]);
  });

  test("a frame of somebody else than the slot's owner is not let out", async () => {
    slot.owner = { leaf: 2, source: 0 };
    await slot.take(await sealed(1));
    slot.owner = { leaf: 1, source: 1 }; // a microphone in the slot of a camera
    await slot.again();
    expect(out).toEqual([]);
    now = 500;
    slot.owner = { leaf: 1, source: 0 };
    await slot.again();
    expect(out).toEqual([]);
    expect(slot.counts.refused).toBe(1);
  });

  test("word of the owner may come a little later than the first frames", async () => {
    slot.owner = undefined;
    await slot.take(await sealed(1));
    await slot.take(await sealed(2));
    now = 300;
    slot.owner = { leaf: 1, source: 0 };
    await slot.again();
    expect(out).toEqual([[1], [2]]);
  });

  test("nothing opens in the slot of somebody without a leaf", async () => {
    slot.owner = { leaf: -1, source: 0 };
    await slot.take(await sealed(1));
    now = 1000;
    await slot.again();
    expect(out).toEqual([]);
  });

  test("frames of an epoch that is not known yet wait for their key, in order, up to 400 ms", async () => {
    ann.set(keys(1, [5, 6], both));
    await slot.take(await sealed(1));
    await slot.take(await sealed(2));
    expect(out).toEqual([]);
    now = 399;
    bob.set(keys(2, [5, 6], both));
    await slot.again();
    expect(out).toEqual([[1], [2]]);
    ann.set(keys(1, [6, 7], both));
    await slot.take(await sealed(3));
    now += 401;
    bob.set(keys(2, [6, 7], both));
    await slot.again();
    expect(out).toEqual([[1], [2]]);
    await slot.take(await sealed(4));
    expect(out.at(-1)).toEqual([4]);
    expect(lost).toBe(1); // pictures that were lost are asked for anew
  });

  test("waiting frames of one do not hold up another's", async () => {
    const frames = [await sealed(1)];
    ann.set(keys(1, [5, 9], both));
    const ahead = await sealed(2);
    ann.set(keys(1, [5, 9], both, 5));
    frames.push(await sealed(3));
    await slot.take(ahead);
    for (const f of frames) await slot.take(f);
    expect(out).toEqual([[1], [3]]);
  });

  test("who was removed is not heard, though the older key is still there", async () => {
    const before = await sealed(1);
    const after = await sealed(2);
    await slot.take(before);
    bob.set(keys(2, [5, 6], { 2: "bob" }));
    await slot.take(after);
    expect(out).toEqual([[1]]);
  });

  test("… even when somebody else has the leaf now", async () => {
    bob.set(keys(2, [5, 6], { 1: "cy", 2: "bob" }, 6, { cy: 6 }));
    await slot.take(await sealed(1));
    expect(out).toEqual([]);
    ann.set(keys(1, [6], { 1: "cy", 2: "bob" }));
    await slot.take(await sealed(2));
    expect(out).toEqual([[2]]);
  });

  test("what does not open is dropped, and counted as one thing", async () => {
    const bad = await sealed(1, 2, 3);
    const view = new DataView(bad.data);
    view.setUint8(bad.data.byteLength - 1, view.getUint8(bad.data.byteLength - 1) ^ 1);
    await slot.take(bad);
    await slot.take(bytes(0));
    await slot.take(bytes());
    await slot.take(bytes(0xff, 1, 2, 3));
    expect(out).toEqual([]);
    expect(slot.counts).toMatchObject({ opened: 0, failed: 1, refused: 3 });
  });

  test("only so many frames wait", async () => {
    slot.owner = undefined;
    for (let n = 0; n < 100; n++) await slot.take(await sealed(n));
    slot.owner = { leaf: 1, source: 0 };
    await slot.again();
    expect(out).toHaveLength(64);
  });
});

describe("counters", () => {
  const ctr = async (ring: Keyring) => (await ring.seal(0))?.ctr;

  test("go up, and never back: not when keys come twice, late, or again", async () => {
    const ring = new Keyring();
    ring.set(keys(1, [5], both));
    expect([await ctr(ring), await ctr(ring)]).toEqual([0, 1]);
    ring.set(keys(1, [5], both));
    expect(await ctr(ring)).toBe(2);
    ring.set(keys(1, [6], both));
    expect(await ctr(ring)).toBe(0); // another key
    ring.set(keys(1, [5], both)); // an answer that came late
    expect(await ctr(ring)).toBe(3);
  });

  // Another tab joined, or this one anew: its connection counts from 0 under that number.
  test("of another join number are never begun: that connection is this one no longer", async () => {
    const ring = new Keyring();
    ring.set(keys(1, [5], both));
    expect(await ctr(ring)).toBe(0);
    ring.set({ ...keys(1, [5], both), join: 2 });
    expect(await ring.seal(0)).toBeUndefined();
    ring.set({ ...keys(1, [6], both), join: 2 });
    expect(await ring.seal(0)).toBeUndefined();
    expect(ring.judge(packKid({ epoch: 6, source: 0, join: 3, leaf: 2 })).say).toBe("wait");
  });

  test("a member who makes up key ids silences nobody else", async () => {
    const ring = new Keyring();
    ring.set(keys(1, [5], both));
    for (let join = 0; join < 8192; join++) await ring.open(packKid({ epoch: 5, source: 0, join, leaf: 2 }));
    expect(await ring.open(packKid({ epoch: 5, source: 0, join: 7, leaf: 1 }))).toBeDefined();
  });

  test("each source counts for itself, and frames sealed at once never share one", async () => {
    const ring = new Keyring();
    ring.set(keys(1, [5], both));
    const got = await Promise.all([ring.seal(0), ring.seal(0), ring.seal(1), ring.seal(0)]);
    expect(got.map((g) => g?.ctr)).toEqual([0, 1, 0, 2]);
    expect(new Set(got.map((g) => g?.kid)).size).toBe(2);
  });

  test("a key of the same epoch number that is another key is another one", () => {
    const ring = new Keyring();
    const told: Told = keys(1, [5], both);
    ring.set(told);
    const kid = packKid({ epoch: 5, source: 0, join: 1, leaf: 1 });
    expect(ring.judge(kid).say).toBe("open");
    ring.set(keys(1, [], {}));
    expect(ring.judge(kid).say).toBe("wait");
  });
});
