// Prints what people download and install, and fails when the interface's
// JavaScript grows past its budget. Reads web/dist and bin/veche, which the
// build made.
import { readdirSync, readFileSync, statSync, existsSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const budget = 220_000; // bytes of gzip before the core: scripts that the page loads at once
const dist = "web/dist";
const size = (path) => (existsSync(path) ? statSync(path).size : 0);
const gz = (path) => size(`${path}.gz`) || gzipSync(readFileSync(path), { level: 9 }).length;
const row = (name, ...cells) => console.log(name.padEnd(34), ...cells.map((c) => String(c).padStart(16)));

const files = readdirSync(dist, { recursive: true }).map((f) => join(dist, f));
row("", "bytes", "gzip", "brotli");
if (existsSync("bin/veche")) row("bin/veche", size("bin/veche"), "", "");
for (const f of files.filter((f) => f.endsWith(".wasm"))) row(f, size(f), gz(f), size(`${f}.br`));

const page = readFileSync(join(dist, "index.html"), "utf8");
const scripts = files.filter((f) => /\.m?js$/.test(f));
const first = scripts.filter((f) => page.includes(f.slice(dist.length + 1)));
const sum = (list, of) => list.reduce((n, f) => n + of(f), 0);
row("JavaScript, loaded at once", sum(first, size), sum(first, gz), sum(first, (f) => size(`${f}.br`)));
row("JavaScript, all", sum(scripts, size), sum(scripts, gz), sum(scripts, (f) => size(`${f}.br`)));
if (sum(first, gz) > budget) {
  console.error(`the interface's JavaScript is over its budget of ${budget} bytes of gzip`);
  process.exit(1);
}
