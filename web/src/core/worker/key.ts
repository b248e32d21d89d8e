// The store key: 32 random bytes that lie in IndexedDB sealed by an AES-GCM key
// which no script can read out. docs/spec/sealing.md#store-key.

const database = "veche";
const place = "keys";
const name = "store";

type Kept = { readonly wrap: CryptoKey; readonly iv: Uint8Array<ArrayBuffer>; readonly sealed: ArrayBuffer };

/** KeyError: the kept key does not open, so the database cannot be read. */
export class KeyError extends Error {}

/**
 * storeKey returns the key of this profile's database, and makes one the first
 * time. It is called by one worker at a time, under the lock of the store.
 */
export async function storeKey(): Promise<Uint8Array> {
  const db = await settled(openDatabase());
  try {
    const kept = (await settled(db.transaction(place).objectStore(place).get(name))) as Kept | undefined;
    return kept ? await unseal(kept) : await make(db);
  } finally {
    db.close();
  }
}

function openDatabase(): IDBOpenDBRequest {
  const request = indexedDB.open(database, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(place);
  return request;
}

async function make(db: IDBDatabase): Promise<Uint8Array> {
  const key = crypto.getRandomValues(new Uint8Array(32));
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const wrap = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
  const sealed = await crypto.subtle.encrypt(algorithm(iv), wrap, key);
  const tx = db.transaction(place, "readwrite", { durability: "strict" });
  tx.objectStore(place).add({ wrap, iv, sealed } satisfies Kept, name);
  await done(tx); // before anything is stored under it
  return key;
}

async function unseal(kept: Kept): Promise<Uint8Array> {
  try {
    return new Uint8Array(await crypto.subtle.decrypt(algorithm(kept.iv), kept.wrap, kept.sealed));
  } catch {
    throw new KeyError("the store key does not open");
  }
}

function algorithm(iv: Uint8Array<ArrayBuffer>): AesGcmParams {
  return { name: "AES-GCM", iv, additionalData: new TextEncoder().encode("veche store key v1") };
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function done(tx: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    tx.oncomplete = () => resolve();
    tx.onerror = () => reject(tx.error);
    tx.onabort = () => reject(tx.error);
  });
}
