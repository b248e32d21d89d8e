// What the browser worker offers as globalThis.vecheSqlite, in Node and in
// memory, for the tests of client/store with GOOS=js:
//
//   GOOS=js GOARCH=wasm NODE_OPTIONS=--import=$PWD/client/store/testdata/sqlite.mjs \
//     go test -exec "$(go env GOROOT)/lib/wasm/go_js_wasm_exec" ./client/store
//
// Every reading of the property is a new, empty database. The package comes
// from web/node_modules; without it the property is missing and tests skip.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(new URL("../../../web/package.json", import.meta.url));
let path;
try {
  path = require.resolve("@sqlite.org/sqlite-wasm");
} catch {
  path = undefined;
}
if (path) {
  const { default: init } = await import(pathToFileURL(path).href);
  const sqlite3 = await init();
  const small = (n) => (n <= Number.MAX_SAFE_INTEGER && n >= Number.MIN_SAFE_INTEGER ? Number(n) : n);
  Object.defineProperty(globalThis, "vecheSqlite", {
    get() {
      const db = new sqlite3.oo1.DB(":memory:");
      return {
        exec(sql, params) {
          const s = db.prepare(sql);
          try {
            if (params.length > 0) s.bind(params);
            const rows = [];
            while (s.step()) rows.push(s.get([]));
            return { rows, changes: db.changes(), lastId: small(sqlite3.capi.sqlite3_last_insert_rowid(db)) };
          } finally {
            s.finalize();
          }
        },
        close() {
          db.close();
        },
      };
    },
  });
}
