// Builds the client core for the browser and puts it, with the loader of the
// same Go, where the worker imports them from. VERSION names the version.
import { execFileSync } from "node:child_process";
import { copyFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const to = join(root, "web", "src", "core", "worker");
const go = (args, env) => execFileSync("go", args, { cwd: root, env: { ...process.env, ...env }, encoding: "utf8" });

// Inlining makes the program a twelfth larger as it is downloaded, and faster only
// where much is computed: there it stays on.
const inlined = [
  "crypto/...",
  "golang.org/x/crypto/...",
  "github.com/veche-im/veche/mls/...",
  "runtime",
  "internal/runtime/...",
  "internal/byteorder",
  "internal/sync",
  "encoding/binary",
  "math/bits",
  "bytes",
  "slices",
  "sync",
  "sync/atomic",
];
const flags = ["-gcflags=all=-l", ...inlined.map((p) => `-gcflags=${p}=`)];

const version = process.env.VERSION ?? "dev";
go(
  [
    "build",
    "-trimpath",
    "-buildvcs=false",
    ...flags,
    "-ldflags",
    `-s -w -X main.version=${version}`,
    "-o",
    join(to, "veche.wasm"),
    "./cmd/veche-wasm",
  ],
  { GOOS: "js", GOARCH: "wasm" },
);
copyFileSync(join(go(["env", "GOROOT"]).trim(), "lib", "wasm", "wasm_exec.js"), join(to, "wasm_exec.js"));
