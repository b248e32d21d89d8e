import { defineConfig } from "vite";
import { emojiData } from "./build/emoji-data.ts";
import { precompress } from "./build/precompress.ts";

// The product's bundle. Every file name but the page's carries a hash, so that
// the server may tell browsers to keep it for ever. Nothing is inlined: the
// page's Content-Security-Policy allows neither data: URLs nor inline code.
export default defineConfig({
  publicDir: "public",
  plugins: [emojiData(), precompress()],
  worker: { format: "es" },
  build: {
    outDir: "dist",
    // dist/.gitkeep must survive: Go embeds the folder even before it is built.
    emptyOutDir: false,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  // sqlite-wasm finds its .wasm beside itself; pre-bundling would part them.
  optimizeDeps: { exclude: ["@sqlite.org/sqlite-wasm"] },
});
