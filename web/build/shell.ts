import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";

// shell tells the service worker (src/core/worker-shell.ts) which files there
// are, and gives their sum a name.
export function shell(): Plugin {
  let publicDir = "";
  return {
    name: "veche-shell",
    apply: "build",
    enforce: "post",
    configResolved(config) {
      publicDir = config.publicDir;
    },
    generateBundle: {
      order: "post",
      handler(_options, bundle) {
        const worker = bundle["shell.js"];
        if (worker?.type !== "chunk") return;
        const sum = createHash("sha256").update(worker.code);
        const files = new Set(["/"]);
        for (const [name, item] of Object.entries(bundle)) {
          if (name === "shell.js") continue;
          sum.update(name).update(item.type === "chunk" ? item.code : item.source);
          if (name !== "index.html") files.add(`/${name}`);
        }
        for (const name of existsSync(publicDir) ? readdirSync(publicDir) : []) {
          sum.update(name).update(readFileSync(join(publicDir, name)));
          files.add(`/${name}`);
        }
        worker.code = worker.code
          .replaceAll("__SHELL_VERSION__", JSON.stringify(`shell-${sum.digest("hex").slice(0, 16)}`))
          .replaceAll("__SHELL_FILES__", JSON.stringify([...files].sort()));
      },
    },
  };
}
