import { defineConfig } from "vite";
import { emojiData } from "./build/emoji-data.ts";

// The interface over a made-up core, to look at and to take pictures of. It
// shares nothing with the product's build.
export default defineConfig({
  root: "demo",
  publicDir: "../public",
  plugins: [emojiData()],
  server: { host: "127.0.0.1", fs: { allow: [".."] } },
  preview: { host: "127.0.0.1" },
  build: {
    outDir: "../dist-demo",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: ["demo/index.html", "demo/grid.html"],
      onLog: (level, log, tell) => log.code !== "MODULE_LEVEL_DIRECTIVE" && tell(level, log),
    },
  },
});
