import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { expect, test } from "vitest";

const src = join(import.meta.dirname, "../src");

// Which folders a folder may import from, and why not the others.
const arrows: Record<string, { readonly to: readonly string[]; readonly why: string }> = {
  app: { to: ["app", "features", "model", "media", "core", "ui", "i18n"], why: "" },
  features: {
    to: ["model", "media", "core", "ui", "i18n"],
    why: "features meet in app alone, so that each can be taken away",
  },
  model: { to: ["model", "media", "core"], why: "the model knows no words and no looks" },
  media: { to: ["media", "core"], why: "media carries tracks and frames, and does not know whose call it is" },
  core: { to: ["core"], why: "the core's side knows nothing of the screens" },
  ui: { to: ["ui", "i18n"], why: "ui knows how things look, not what they mean" },
  i18n: { to: ["i18n"], why: "words stand at the bottom" },
};

// The table of types is known everywhere: it is the words of the product.
const table = join("core", "api.gen.ts");

function faults(file: string, text: string): string[] {
  const from = file.split(sep)[0] ?? "";
  const out: string[] = [];
  for (const [, path = ""] of text.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)) {
    const target = relative(src, resolve(src, dirname(file), path.split("?", 1)[0] ?? ""));
    const to = target.split(sep)[0] ?? "";
    const rule = arrows[from];
    if (!rule || target === table) continue;
    const sameFeature = from === "features" && to === "features" && target.split(sep)[1] === file.split(sep)[1];
    if (!sameFeature && !rule.to.includes(to)) out.push(`${file} imports ${target}: ${rule.why}`);
  }
  return out;
}

test("arrows between folders point down", () => {
  const all = (readdirSync(src, { recursive: true }) as string[]).filter((f) => /\.tsx?$/.test(f));
  expect(all.length).toBeGreaterThan(40);
  expect(all.flatMap((f) => faults(f, readFileSync(join(src, f), "utf8")))).toEqual([]);
});

test("a feature that imports another is found, with the reason", () => {
  const bad = join("features", "rooms", "x.tsx");
  expect(faults(bad, 'import { A } from "../details/A.tsx";')[0]).toContain("features meet in app alone");
  expect(faults(bad, 'const A = import("../../app/A.tsx")')).toHaveLength(1);
  expect(faults(bad, 'import type { B } from "./B.tsx";')).toEqual([]);
});

test("the product knows nothing of demo and tests, and makes no HTML of strings", () => {
  for (const f of readdirSync(src, { recursive: true }) as string[]) {
    if (!/\.tsx?$/.test(f)) continue;
    const text = readFileSync(join(src, f), "utf8");
    expect(text, f).not.toMatch(/from "[^"]*\/(demo|test)\//);
    expect(text, f).not.toMatch(
      /dangerouslySetInnerHTML|\.innerHTML|\.outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\(/,
    );
  }
});
