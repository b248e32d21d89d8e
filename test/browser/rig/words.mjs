// The words of the interface, read from its own catalogues, so that the tests
// find things by the names that people see.
import { readFileSync } from "node:fs";

const catalogue = (language) => {
  const text = readFileSync(new URL(`../../../web/src/i18n/${language}.ts`, import.meta.url), "utf8");
  const words = new Map();
  for (const [, key, value] of text.matchAll(/^\s*"([\w.]+)":\s*("(?:[^"\\]|\\.)*")/gm)) words.set(key, JSON.parse(value));
  return words;
};
const catalogues = { en: catalogue("en"), ru: catalogue("ru") };

/** words returns the function that gives a text by its key, with its values. */
export function words(language) {
  return (key, values = {}) => {
    const text = catalogues[language].get(key);
    if (text === undefined) throw new Error(`no text ${key} in ${language}`);
    return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? `{${name}}`);
  };
}
