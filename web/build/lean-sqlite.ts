import type { Plugin } from "vite";

// What sqlite-wasm can do and we never ask for: two workers of its own, and the
// bundler would carry both (250 KB). sqlite.ts switches off what starts them.
const unused = [
  'new Worker(new URL("sqlite3-worker1.mjs", import.meta.url), { type: "module" })',
  'new URL("sqlite3-opfs-async-proxy.js", import.meta.url)',
];

/** leanSqlite leaves the workers of sqlite-wasm out of the bundle. */
export function leanSqlite(): Plugin {
  return {
    name: "veche-lean-sqlite",
    apply: "build",
    transform(code, id) {
      if (!id.includes("@sqlite.org/sqlite-wasm")) return null;
      for (const text of unused) {
        if (!code.includes(text)) throw new Error(`sqlite-wasm has changed: ${text} is not in it any more`);
        code = code.replace(text, "undefined");
      }
      return { code, map: null };
    },
  };
}
