import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Plugin } from "vite";

interface Locked {
  version?: string;
  license?: string;
  integrity?: string;
  dev?: boolean;
  optional?: boolean;
}

// parts writes parts.json: which npm packages the app is built from, as the lock
// file has them, for the program's bill of materials (veche version --sbom).
export function parts(): Plugin {
  let root = "";
  let dir = "";
  return {
    name: "veche-parts",
    apply: "build",
    configResolved(config) {
      root = config.root;
      dir = resolve(config.root, config.build.outDir);
    },
    closeBundle() {
      const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
      const list = Object.entries(lock.packages as Record<string, Locked>)
        .filter(([path, p]) => path !== "" && !p.dev && !p.optional)
        .map(([path, p]) => ({
          name: path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length),
          version: p.version,
          license: p.license,
          integrity: p.integrity,
        }))
        .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
      writeFileSync(join(dir, "parts.json"), `${JSON.stringify(list, null, 1)}\n`);
    },
  };
}
