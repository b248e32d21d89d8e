import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { brotliCompressSync, gzipSync, constants as zlib } from "node:zlib";
import type { Plugin } from "vite";

const worth = /\.(js|css|html|json|svg|wasm|webmanifest)$/;

// precompress empties the output folder before a build (all but .gitkeep) and
// afterwards writes NAME.br and NAME.gz beside each file that shrinks, so that
// the server never compresses anything itself.
export function precompress(): Plugin {
  let dir = "";
  return {
    name: "veche-precompress",
    apply: "build",
    configResolved(config) {
      dir = resolve(config.root, config.build.outDir);
    },
    buildStart() {
      for (const name of readdirSync(dir)) {
        if (name !== ".gitkeep") rmSync(join(dir, name), { recursive: true });
      }
    },
    closeBundle() {
      for (const name of readdirSync(dir, { recursive: true }) as string[]) {
        const path = join(dir, name);
        if (!worth.test(name) || !statSync(path).isFile()) continue;
        const raw = readFileSync(path);
        if (raw.length < 512) continue;
        const br = brotliCompressSync(raw, {
          params: {
            [zlib.BROTLI_PARAM_QUALITY]: raw.length > 4_000_000 ? 10 : 11,
            [zlib.BROTLI_PARAM_SIZE_HINT]: raw.length,
            [zlib.BROTLI_PARAM_LGWIN]: 24,
          },
        });
        writeFileSync(`${path}.br`, br);
        writeFileSync(`${path}.gz`, gzipSync(raw, { level: 9 }));
      }
    },
  };
}
