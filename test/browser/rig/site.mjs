// A real server on loopback, from the binary that users get.
import { execFile, execFileSync, spawn } from "node:child_process";
import { createHash, X509Certificate } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { until } from "./until.mjs";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** binary is VECHE_BIN, or the one that make builds. */
export function binary() {
  if (process.env.VECHE_BIN) return process.env.VECHE_BIN;
  execFileSync("make", ["build"], { cwd: root, stdio: "inherit" });
  return join(root, "bin", "veche");
}

function freePort() {
  return new Promise((resolve, reject) => {
    const s = createServer().on("error", reject);
    s.listen(0, "127.0.0.1", () => {
      const { port } = s.address();
      s.close(() => resolve(port));
    });
  });
}

/** Site is one server with its data; it can be stopped and started again. */
export class Site {
  constructor(bin, dir, local, tls) {
    this.bin = bin;
    this.dir = dir; // everything that the test makes on disk
    this.data = join(dir, "data");
    this.local = `http://localhost:${local}`;
    this.secure = `https://localhost:${tls}`;
    this.args = ["serve", "--data", this.data, "--listen", `127.0.0.1:${tls}`, "--local", `localhost:${local}`, "--metrics", "off"];
    this.output = "";
  }

  static async make() {
    const dir = mkdtempSync(join(tmpdir(), "veche-browser-"));
    const site = new Site(binary(), dir, await freePort(), await freePort());
    mkdirSync(join(dir, "profiles"));
    return site;
  }

  async start() {
    this.output = "";
    this.process = spawn(this.bin, this.args, { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.process.stdout, this.process.stderr]) stream.on("data", (b) => (this.output += b));
    this.ended = new Promise((resolve) => this.process.once("exit", (code, signal) => resolve({ code, signal })));
    let over;
    this.ended.then((how) => (over = how));
    await until("the server answers", async () => {
      if (over) throw new Error(`the server ended with ${JSON.stringify(over)}:\n${this.output}`);
      return (await fetch(`${this.local}/healthz`)).ok;
    });
  }

  /** stop ends the server as an administrator does. */
  async stop() {
    this.process.kill("SIGTERM");
    return this.ended;
  }

  /** kill ends the server as a power cut does. */
  async kill() {
    this.process.kill("SIGKILL");
    return this.ended;
  }

  /** setupToken is the secret part of the set-up link that the server printed. */
  async setupToken() {
    return until("a set-up link is printed", () => this.output.match(/\/setup#([a-z2-7]+)/i)?.[1]);
  }

  /** trust is the hash of the server's certificate by which a test browser takes it. */
  trust() {
    const list = [];
    const walk = (dir) => {
      for (const e of readdirSync(dir, { withFileTypes: true })) {
        const path = join(dir, e.name);
        if (e.isDirectory()) walk(path);
        else if (/\.(pem|crt|cert)$/.test(e.name)) list.push(path);
      }
    };
    walk(this.data);
    const hashes = [];
    for (const path of list) {
      for (const [pem] of readFileSync(path, "utf8").matchAll(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g)) {
        const key = new X509Certificate(pem).publicKey.export({ type: "spki", format: "der" });
        hashes.push(createHash("sha256").update(key).digest("base64"));
      }
    }
    if (hashes.length === 0) throw new Error(`no certificate in ${this.data}`);
    return hashes.join(",");
  }

  /** run runs a command of the binary; its JSON lines are the result. */
  run(...args) {
    return new Promise((resolve, reject) => {
      execFile(this.bin, args, { timeout: 60_000 }, (error, stdout, stderr) => {
        if (error) {
          reject(Object.assign(new Error(`veche ${args.join(" ")}: ${stderr || error.message}`), { code: error.code, stderr }));
          return;
        }
        const lines = stdout.split("\n").filter((l) => l.startsWith("{"));
        resolve(lines.map((l) => JSON.parse(l)));
      });
    });
  }

  async remove() {
    if (this.process && this.process.exitCode === null) await this.stop();
    if (!process.env.VECHE_KEEP && existsSync(this.dir)) rmSync(this.dir, { recursive: true, force: true });
  }
}
