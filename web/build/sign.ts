import { execFileSync } from "node:child_process";
import { resolve } from "node:path";
import type { Plugin } from "vite";

// sign writes the list of everything that was built, with its signature, which
// the server looks at when it starts. It must be the last plugin. SIGNING_KEY
// names the key's file; without one the development key signs.
export function sign(): Plugin {
  let dir = "";
  return {
    name: "veche-sign",
    apply: "build",
    configResolved(config) {
      dir = resolve(config.root, config.build.outDir);
    },
    closeBundle: {
      order: "post",
      sequential: true,
      handler() {
        const go = ["run", "./sign", "-key", process.env.SIGNING_KEY ?? "", dir];
        execFileSync("go", go, { cwd: resolve(import.meta.dirname, ".."), stdio: "inherit" });
      },
    },
  };
}
