// Builds the client core for the browser and puts it, with the loader of the
// same Go, where the worker imports them from. VERSION names the version.
import { execFileSync } from "node:child_process";
import { copyFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const to = join(root, "web", "src", "core", "worker");
const go = (args, env) => execFileSync("go", args, { cwd: root, env: { ...process.env, ...env }, encoding: "utf8" });

const version = process.env.VERSION ?? "dev";
go(
  [
    "build",
    "-trimpath",
    "-ldflags",
    `-s -w -X main.version=${version}`,
    "-o",
    join(to, "veche.wasm"),
    "./cmd/veche-wasm",
  ],
  { GOOS: "js", GOARCH: "wasm" },
);
copyFileSync(join(go(["env", "GOROOT"]).trim(), "lib", "wasm", "wasm_exec.js"), join(to, "wasm_exec.js"));
