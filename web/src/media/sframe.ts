// SFrame (RFC 9605) with suite AES_128_GCM_SHA256_128, on WebCrypto: the bytes
// of a frame's header, the keys that belong to a key id, and sealing and opening
// with them. What a key id says stands in docs/spec/calls.md#keys.

const suite = 0x0004;
const keySize = 16; // bytes (§4.5)
const saltSize = 12;
const tagSize = 16;

type Bytes = Uint8Array<ArrayBuffer>;

/** Kid is what a key id says: who sealed, from which source, under which epoch. */
export interface Kid {
  readonly epoch: number; // modulo 256
  readonly source: number;
  readonly join: number;
  readonly leaf: number;
}

/** The numbers of sources in key ids. */
export const sourceNumber = { microphone: 0, camera: 1, screen: 2, sound: 3 } as const;

// A key id has 48 bits, too many for the operators that work on 32.
const joinUnit = 2 ** 11;
const leafUnit = 2 ** 24;

/** packKid gives the number of a key id. */
export function packKid({ epoch, source, join, leaf }: Kid): number {
  if (join >= 2 ** 13 || leaf >= 2 ** 24) throw new RangeError("a key id has no room for this join or leaf");
  return leaf * leafUnit + join * joinUnit + source * 256 + (epoch % 256);
}

/** unpackKid reads a key id; undefined if it has more than 48 bits. */
export function unpackKid(kid: number): Kid | undefined {
  if (kid >= 2 ** 48) return undefined;
  const low = kid % leafUnit;
  return { leaf: Math.floor(kid / leafUnit), join: low >>> 11, source: (low >>> 8) & 7, epoch: low & 255 };
}

/** Header is the header of a sealed frame and how many bytes it takes. */
export interface Header {
  readonly kid: number;
  readonly ctr: number;
  readonly size: number;
}

/**
 * writeHeader gives the header of §4.3. Numbers below 8 stand in the first
 * byte, others in as few bytes as they need; none here is above 2^53.
 */
export function writeHeader(kid: number, ctr: number): Bytes {
  const k = kid < 8 ? 0 : width(kid);
  const c = ctr < 8 ? 0 : width(ctr);
  const out = new Uint8Array(1 + k + c);
  out[0] = (k ? 0x80 | ((k - 1) << 4) : kid << 4) | (c ? 0x08 | (c - 1) : ctr);
  put(out, 1, k, kid);
  put(out, 1 + k, c, ctr);
  return out;
}

/** readHeader reads the header that begins at an offset; undefined if there is none that we could use. */
export function readHeader(data: Uint8Array, at: number): Header | undefined {
  const config = data[at];
  if (config === undefined) return undefined;
  const k = config & 0x80 ? ((config >> 4) & 7) + 1 : 0;
  const c = config & 0x08 ? (config & 7) + 1 : 0;
  const size = 1 + k + c;
  if (at + size > data.length) return undefined;
  const kid = k ? get(data, at + 1, k) : (config >> 4) & 7;
  const ctr = c ? get(data, at + 1 + k, c) : config & 7;
  // Beyond this numbers lose digits. No honest sender gets there.
  if (kid > Number.MAX_SAFE_INTEGER || ctr > Number.MAX_SAFE_INTEGER) return undefined;
  return { kid, ctr, size };
}

function width(n: number): number {
  let bytes = 1;
  for (let rest = Math.floor(n / 256); rest > 0; rest = Math.floor(rest / 256)) bytes++;
  return bytes;
}

function put(out: Uint8Array, at: number, bytes: number, value: number): void {
  for (let i = bytes - 1, rest = value; i >= 0; i--, rest = Math.floor(rest / 256)) out[at + i] = rest % 256;
}

function get(data: Uint8Array, at: number, bytes: number): number {
  let value = 0;
  for (let i = 0; i < bytes; i++) value = value * 256 + (data[at + i] ?? 0);
  return value;
}

/** FrameKey seals or opens the frames of one key id. */
export interface FrameKey {
  readonly key: CryptoKey;
  readonly salt: Bytes;
}

/** deriveKey makes the key of a key id from a base key (§4.4.2). */
export async function deriveKey(base: Bytes, kid: number): Promise<FrameKey> {
  const secret = await crypto.subtle.importKey("raw", base, "HKDF", false, ["deriveBits"]);
  const info = (label: string) => {
    const words = new TextEncoder().encode(label);
    const out = new Uint8Array(words.length + 10);
    out.set(words);
    put(out, words.length, 8, kid);
    put(out, words.length + 8, 2, suite);
    return out;
  };
  const expand = async (label: string, bytes: number) =>
    new Uint8Array(
      await crypto.subtle.deriveBits(
        { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: info(label) },
        secret,
        bytes * 8,
      ),
    );
  const [key, salt] = await Promise.all([
    expand("SFrame 1.0 Secret key ", keySize),
    expand("SFrame 1.0 Secret salt ", saltSize),
  ]);
  return { key: await crypto.subtle.importKey("raw", key, "AES-GCM", false, ["encrypt", "decrypt"]), salt };
}

/**
 * sealFrame gives clear ‖ header ‖ ciphertext and tag. The clear bytes, which
 * stand at the start of the frame, are authenticated as its metadata.
 */
export async function sealFrame(by: FrameKey, kid: number, ctr: number, frame: Bytes, clear: number): Promise<Bytes> {
  const header = writeHeader(kid, ctr);
  const params = gcm(by.salt, ctr, header, frame.subarray(0, clear));
  const sealed = await crypto.subtle.encrypt(params, by.key, frame.subarray(clear));
  const out = new Uint8Array(clear + header.length + sealed.byteLength);
  out.set(frame.subarray(0, clear));
  out.set(header, clear);
  out.set(new Uint8Array(sealed), clear + header.length);
  return out;
}

/** openFrame undoes sealFrame, with the header that readHeader found. It throws on all that does not open. */
export async function openFrame(by: FrameKey, header: Header, sealed: Bytes, clear: number): Promise<Bytes> {
  const body = clear + header.size;
  const params = gcm(by.salt, header.ctr, sealed.subarray(clear, body), sealed.subarray(0, clear));
  const opened = await crypto.subtle.decrypt(params, by.key, sealed.subarray(body));
  const out = new Uint8Array(clear + opened.byteLength);
  out.set(sealed.subarray(0, clear));
  out.set(new Uint8Array(opened), clear);
  return out;
}

/** smallest is how many bytes a sealed frame has at least, after its clear ones. */
export const smallest = 1 + tagSize;

function gcm(salt: Bytes, ctr: number, header: Uint8Array, metadata: Uint8Array): AesGcmParams {
  const iv = salt.slice();
  const count = new Uint8Array(saltSize);
  put(count, 0, saltSize, ctr);
  for (let i = 0; i < saltSize; i++) iv[i] = (iv[i] ?? 0) ^ (count[i] ?? 0);
  const additionalData = new Uint8Array(header.length + metadata.length);
  additionalData.set(header);
  additionalData.set(metadata, header.length);
  return { name: "AES-GCM", iv, additionalData, tagLength: tagSize * 8 };
}

/**
 * clearBytes is how many bytes at the start of a frame stay readable, so that
 * the forwarder finds key frames: VP8's frame tag, and of a key frame its start
 * code and size too (RFC 6386 §9.1). Of sound none do.
 */
export function clearBytes(kind: "audio" | "video", frame: Uint8Array): number {
  if (kind === "audio") return 0;
  const first = frame[0];
  if (first === undefined) return 0;
  return Math.min(frame.length, first & 1 ? 3 : 10);
}

const windowSize = 1024;

/** Replay takes each counter once, and none that is older than the newest by windowSize or more. */
export class Replay {
  readonly #seen = new Uint8Array(windowSize);
  #newest = -1;

  has(ctr: number): boolean {
    if (ctr > this.#newest) return false;
    return ctr <= this.#newest - windowSize || this.#seen[ctr % windowSize] === 1;
  }

  /** take says whether the counter is new, and remembers it. */
  take(ctr: number): boolean {
    if (this.has(ctr)) return false;
    if (ctr > this.#newest) {
      const from = Math.max(this.#newest + 1, ctr - windowSize + 1);
      for (let n = from; n < ctr; n++) this.#seen[n % windowSize] = 0;
      this.#newest = ctr;
    }
    this.#seen[ctr % windowSize] = 1;
    return true;
  }
}
