import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Plugin } from "vite";

const languages = ["en", "ru"] as const;
const files = ["data.json", "messages.json"] as const;

// emojiData serves the emoji names from our own origin, at /emoji/LANG/FILE.
// The picker would otherwise ask a content network for them.
export function emojiData(): Plugin {
  const require = createRequire(import.meta.url);
  const read = (lang: string, file: string) => readFileSync(require.resolve(`emojibase-data/${lang}/${file}`));
  return {
    name: "veche-emoji-data",
    configureServer(server) {
      server.middlewares.use("/emoji", (req, res, next) => {
        const [, lang, file] = (req.url ?? "").split("?")[0]?.split("/") ?? [];
        if (!languages.some((l) => l === lang) || !files.some((f) => f === file)) return next();
        res.setHeader("Content-Type", "application/json");
        res.end(read(lang as string, file as string));
      });
    },
    generateBundle() {
      for (const lang of languages) {
        for (const file of files) {
          this.emitFile({ type: "asset", fileName: `emoji/${lang}/${file}`, source: read(lang, file) });
        }
      }
    },
  };
}
