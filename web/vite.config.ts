import { defineConfig } from "vite";
import { emojiData } from "./build/emoji-data.ts";
import { leanSqlite } from "./build/lean-sqlite.ts";
import { parts } from "./build/parts.ts";
import { precompress } from "./build/precompress.ts";
import { shell } from "./build/shell.ts";
import { sign } from "./build/sign.ts";

// The product's bundle. Every file name but the page's carries a hash, so that
// the server may tell browsers to keep it for ever. Nothing is inlined: the
// page's Content-Security-Policy allows neither data: URLs nor inline code.
export default defineConfig({
  publicDir: "public",
  plugins: [emojiData(), shell(), parts(), precompress(), sign()],
  worker: { format: "es", plugins: () => [leanSqlite()] },
  build: {
    outDir: "dist",
    // dist/.gitkeep must survive: Go embeds the folder even before it is built.
    emptyOutDir: false,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: {
      // "use client" means nothing here, and nobody needs to hear so ninety times.
      onLog: (level, log, tell) => log.code !== "MODULE_LEVEL_DIRECTIVE" && tell(level, log),
      input: { index: "index.html", shell: "src/core/worker-shell.ts" },
      output: {
        // A service worker answers for the folder that it lies in, under a name that stays.
        entryFileNames: (chunk) => (chunk.name === "shell" ? "shell.js" : "assets/[name]-[hash].js"),
      },
    },
  },
  // sqlite-wasm finds its .wasm beside itself; pre-bundling would part them.
  optimizeDeps: { exclude: ["@sqlite.org/sqlite-wasm"] },
});
