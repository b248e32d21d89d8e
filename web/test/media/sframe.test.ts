import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  clearBytes,
  deriveKey,
  openFrame,
  packKid,
  Replay,
  readHeader,
  sealFrame,
  unpackKid,
  writeHeader,
} from "../../src/media/sframe.ts";

const bytes = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (b) => Number.parseInt(b, 16));
const hex = (b: Uint8Array) => [...b].map((n) => n.toString(16).padStart(2, "0")).join("");

// The vectors of RFC 9605, which lie beside the project.
const file = join(import.meta.dirname, "../../../../shared/vectors/sframe/test-vectors.json");
const there = existsSync(file);
if (!there) console.warn(`SKIPPED: the vectors of RFC 9605 are not at ${file}`);

// Vectors count in 64 bits; numbers here end at 2^53, and JSON.parse rounds above.
const exact = (text: string) => JSON.parse(text.replace(/:\s*(\d{16,})/g, ': "$1"'));

describe.skipIf(!there)("RFC 9605's vectors", () => {
  const vectors = there ? exact(readFileSync(file, "utf8")) : {};

  test("headers", () => {
    let tried = 0;
    for (const { kid, ctr, encoded } of vectors.header) {
      const sure = [kid, ctr].every((n) => Number(n) <= Number.MAX_SAFE_INTEGER);
      if (!sure) {
        expect(readHeader(bytes(encoded), 0)).toBeUndefined();
        continue;
      }
      tried++;
      expect(hex(writeHeader(Number(kid), Number(ctr)))).toBe(encoded);
      expect(readHeader(bytes(encoded), 0)).toEqual({ kid: Number(kid), ctr: Number(ctr), size: encoded.length / 2 });
    }
    expect(tried).toBeGreaterThan(150);
  });

  test("sealing and opening with AES_128_GCM_SHA256_128", async () => {
    const v = vectors.sframe.find((v: { cipher_suite: number }) => v.cipher_suite === 4);
    const key = await deriveKey(bytes(v.base_key), v.kid);
    expect(hex(key.salt)).toBe(v.sframe_salt);
    // Clear bytes are metadata that travels in front.
    const metadata = bytes(v.metadata);
    const frame = new Uint8Array([...metadata, ...bytes(v.pt)]);
    const sealed = await sealFrame(key, v.kid, v.ctr, frame, metadata.length);
    expect(hex(sealed)).toBe(v.metadata + v.ct);
    const header = readHeader(sealed, metadata.length);
    if (!header) throw new Error("no header");
    expect(hex(await openFrame(key, header, sealed, metadata.length))).toBe(v.metadata + v.pt);
  });
});

describe("frames", () => {
  const base = bytes("000102030405060708090a0b0c0d0e0f");

  test("nothing opens of which a bit was changed, wherever it stands", async () => {
    const kid = packKid({ epoch: 3, source: 1, join: 5, leaf: 70_000 });
    const key = await deriveKey(base, kid);
    const frame = bytes("10020001010101010101aabbccdd");
    const sealed = await sealFrame(key, kid, 300, frame, clearBytes("video", frame));
    expect(hex(sealed.subarray(0, 10))).toBe(hex(frame.subarray(0, 10)));
    const open = async (data: Uint8Array<ArrayBuffer>) => {
      const header = readHeader(data, 10);
      if (!header) throw new Error("no header");
      return openFrame(key, header, data, 10);
    };
    expect(hex(await open(sealed))).toBe(hex(frame));
    for (let i = 0; i < sealed.length; i++) {
      const bad = sealed.slice();
      bad[i] = (bad[i] ?? 0) ^ 1;
      await expect(open(bad), `byte ${i}`).rejects.toThrow();
    }
  });

  test("how much of a frame stays clear", () => {
    expect(clearBytes("audio", bytes("ff00"))).toBe(0);
    expect(clearBytes("video", new Uint8Array(50))).toBe(10); // a key frame
    expect(clearBytes("video", bytes("01".repeat(50)))).toBe(3);
    expect(clearBytes("video", bytes("0100"))).toBe(2);
  });
});

describe("key ids", () => {
  test("keep all their parts apart", () => {
    for (const kid of [
      { epoch: 0, source: 0, join: 0, leaf: 0 },
      { epoch: 255, source: 7, join: 8191, leaf: 2 ** 24 - 1 },
      { epoch: 17, source: 2, join: 4096, leaf: 2 ** 23 },
    ])
      expect(unpackKid(packKid(kid))).toEqual(kid);
    expect(packKid({ epoch: 257, source: 0, join: 0, leaf: 0 })).toBe(1);
    expect(() => packKid({ epoch: 0, source: 0, join: 8192, leaf: 0 })).toThrow(RangeError);
    expect(unpackKid(2 ** 48)).toBeUndefined();
  });
});

describe("the replay window", () => {
  test("takes each counter once", () => {
    const r = new Replay();
    expect([0, 1, 5, 3].map((n) => r.take(n))).toEqual([true, true, true, true]);
    expect([0, 1, 3, 5].map((n) => r.take(n))).toEqual([false, false, false, false]);
    expect(r.take(4)).toBe(true);
  });
  test("forgets what lies further back, and takes none of it", () => {
    const r = new Replay();
    r.take(5000);
    expect(r.take(5000 - 1024)).toBe(false);
    expect(r.take(5000 - 1023)).toBe(true);
    r.take(5000 + 1024);
    expect(r.take(5000)).toBe(false);
    expect(r.take(5001)).toBe(true);
    r.take(10 ** 12); // a leap costs no more than the window
    expect(r.take(10 ** 12 - 1)).toBe(true);
    expect(r.take(10 ** 12 - 1)).toBe(false);
  });
});
