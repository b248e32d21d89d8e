import type { Plugin } from "vite";

const words = /\/react-(?:aria|aria-components|stately)\/dist\/private\/intl\/(?:[\w-]+\/)?([a-z]{2}-[A-Z]{2})\.mjs$/;

// twoLanguages leaves out what react-aria says in the thirty-two languages that
// the app does not speak: a quarter of what it weighs.
export function twoLanguages(): Plugin {
  return {
    name: "veche-two-languages",
    enforce: "pre",
    load(id) {
      const language = words.exec(id.split("?", 1)[0] ?? "")?.[1];
      if (!language || language === "en-US" || language === "ru-RU") return null;
      return "export default {};";
    },
  };
}
