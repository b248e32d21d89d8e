import "./wasm_exec.js";
import type { Shelf } from "./blobs.ts";
import type { VecheSqlite } from "./sqlite.ts";
import address from "./veche.wasm?url";

/** What cmd/veche-wasm finds at globalThis.veche. */
export type Bridge = {
  readonly origin: string; // of the server
  readonly key: Uint8Array; // the store key; Go overwrites it once it has taken it
  readonly blobs: Shelf;
  /** Go answers call n with a result, or with a Failure. */
  answer(n: number, ok: boolean, json: string): void;
  event(name: string, json: string): void;
  /** Go takes calls from now on. */
  ready(call: (n: number, name: string, params: string) => void): void;
  /** Go could not start: every call gets this Failure. */
  fail(json: string): void;
  /** kept is set by Go: it hears whether the browser promised to keep what is stored. */
  kept?: (kept: boolean) => void;
};

/** loadGo fetches and compiles the core; it needs nothing else, so it starts first. */
export function loadGo(): Promise<WebAssembly.Module> {
  return WebAssembly.compileStreaming(fetch(address, { credentials: "same-origin" }));
}

/** runGo runs the core until it ends, which it does not do by itself. */
export async function runGo(module: WebAssembly.Module, sqlite: VecheSqlite, bridge: Bridge): Promise<void> {
  Object.assign(globalThis, { vecheSqlite: sqlite, veche: bridge });
  const go = new Go();
  await go.run(await WebAssembly.instantiate(module, go.importObject));
}
