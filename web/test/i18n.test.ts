import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseSync } from "vite";
import { describe, expect, test } from "vitest";
import { changeText, noticeText } from "../src/i18n/changes.ts";
import { en } from "../src/i18n/en.ts";
import { clock, dayName, listTime, refused, size } from "../src/i18n/format.ts";
import { ru } from "../src/i18n/ru.ts";
import { type Key, languageFor, textIn } from "../src/i18n/text.ts";

const src = join(import.meta.dirname, "../src");
const keys = Object.keys(en) as Key[];
const forms = (entry: string | object): string[] => (typeof entry === "string" ? [entry] : Object.values(entry));
const holes = (s: string) => [...new Set([...s.matchAll(/\{(\w+)\}/g)].map((m) => m[1]))].sort();
const sources = (folder: string): string[] =>
  (readdirSync(join(src, folder), { recursive: true }) as string[])
    .filter((f) => /\.tsx?$/.test(f))
    .map((f) => join(folder, f));

describe("the catalogues", () => {
  test("Russian has exactly the keys that English has", () => {
    expect(Object.keys(ru).sort()).toEqual([...keys].sort());
  });
  test("counted texts have all forms of their language", () => {
    for (const key of keys) {
      if (typeof en[key] === "string") continue;
      expect(Object.keys(en[key]).sort(), key).toEqual(["one", "other"]);
      expect(Object.keys(ru[key]).sort(), key).toEqual(["few", "many", "one", "other"]);
    }
  });
  test("a translation has the same values in it", () => {
    for (const key of keys) {
      const wanted = holes(forms(en[key])[0] ?? "");
      for (const form of [...forms(en[key]), ...forms(ru[key])]) expect(holes(form), `${key}: ${form}`).toEqual(wanted);
    }
  });
  test("nothing is empty, and Russian is Russian", () => {
    const same = new Set<Key>(["app.name", "settings.memberOf", "chat.said", "notice.room"]);
    for (const key of keys) {
      for (const form of [...forms(en[key]), ...forms(ru[key])]) expect(form.trim(), key).not.toBe("");
      if (!same.has(key))
        for (const form of forms(ru[key])) expect(form.replace(/\{\w+\}/g, ""), key).toMatch(/[а-яё]|^, $/i);
    }
  });
  test("every key is used, and every key that is used exists", () => {
    const code = ["app", "features", "ui", "i18n", "model"]
      .flatMap(sources)
      .filter((f) => !/i18n.(en|ru)\.ts$/.test(f));
    const text = code.map((f) => readFileSync(join(src, f), "utf8")).join("\n");
    // These are put together: fail.CODE, notice.CODE, notice.CODEText.
    const made = (key: string) => /^(fail|notice)\./.test(key);
    for (const key of keys) if (!made(key)) expect(text.includes(`"${key}"`), `${key} is used nowhere`).toBe(true);
    for (const [, key] of text.matchAll(/\bt\("([\w.]+)"/g)) expect(keys, `t("${key}")`).toContain(key);
  });
});

describe("components", () => {
  // What a person may read or hear: text between tags, and these attributes.
  const spoken = new Set(["label", "title", "aria-label", "alt", "placeholder", "hint", "aria-description"]);
  const letters = /\p{L}/u;

  function literals(file: string): string[] {
    const { program } = parseSync(file, readFileSync(join(src, file), "utf8"));
    const found: string[] = [];
    const walk = (node: unknown): void => {
      if (!node || typeof node !== "object") return;
      if (Array.isArray(node)) {
        for (const child of node) walk(child);
        return;
      }
      const n = node as Record<string, unknown> & { type?: string };
      if (n.type === "JSXText" && letters.test(String(n.value))) found.push(String(n.value).trim());
      if (n.type === "JSXExpressionContainer") {
        const e = n.expression as { type?: string; value?: unknown };
        if (e.type === "Literal" && typeof e.value === "string" && letters.test(e.value)) found.push(e.value);
      }
      if (n.type === "JSXAttribute") {
        const name = (n.name as { name?: string }).name ?? "";
        const value = n.value as { type?: string; value?: unknown } | null;
        if (!spoken.has(name)) {
          if (value?.type !== "Literal") walk(value);
          return;
        }
        if (value?.type === "Literal" && letters.test(String(value.value)))
          found.push(`${name}=${String(value.value)}`);
      }
      for (const [key, child] of Object.entries(n)) if (key !== "type") walk(child);
    };
    walk(program);
    return found;
  }

  // A pattern, the same in every language.
  const allowed = new Set(["placeholder=XXXXX-XXXXX-XXXXX-…"]);

  test("no words stand in components", () => {
    for (const file of ["app", "features", "ui"].flatMap(sources)) {
      if (file.endsWith(".tsx"))
        expect(
          literals(file).filter((s) => !allowed.has(s)),
          file,
        ).toEqual([]);
    }
  });
});

describe("speaking", () => {
  const russian = textIn("ru");
  const english = textIn("en");
  test("Russian counts by its own rules", () => {
    expect([1, 2, 5, 11, 21, 22, 25, 1001].map((n) => russian("chat.members", { n }))).toEqual([
      "1 участник",
      "2 участника",
      "5 участников",
      "11 участников",
      "21 участник",
      "22 участника",
      "25 участников",
      "1\u00a0001 участник",
    ]);
    expect([1, 2].map((n) => english("chat.members", { n }))).toEqual(["1 member", "2 members"]);
  });
  test("a value that looks like a place for a value is left alone", () => {
    expect(english("chat.said", { name: "{text}", text: "x" })).toBe("{text}: x");
  });
  test("the browser's wish decides, unless the person chose", () => {
    expect(languageFor("system", ["de-DE", "ru-RU", "en-US"])).toBe("ru");
    expect(languageFor("system", ["fr"])).toBe("en");
    expect(languageFor("ru", ["en"])).toBe("ru");
  });
  test("changes say who and whom", () => {
    const added = { kind: "added", by: "Ann", me: false, who: ["Bob", "Me"], you: true } as const;
    expect(changeText(english, added, "Me")).toBe("Ann added Bob and you");
    expect(changeText(russian, added, "Me")).toBe("Ann добавляет в группу: Bob и вы");
    expect(changeText(english, { kind: "removed", by: "Me", me: true, who: ["Bob"] }, "Me")).toBe("You removed Bob");
  });
  test("a notice of a newer core still says that something is the matter", () => {
    const notice = { id: "x", code: "from_the_future" as never, severe: true, time: 0, text: "" };
    expect(noticeText(english, notice, "", "").title).toBe("Something needs your attention");
  });
  test("too many attempts are told from a busy server, with the time to wait", () => {
    expect(refused(english, "fail.attempts", 179_001)).toBe("Too many wrong passwords. Try again in 3 minutes.");
    expect(refused(english, "fail.busy", 1500)).toBe("The server is busy. Try again in 2 seconds.");
    expect(refused(russian, "fail.attempts", 60_000 * 21)).toBe(
      "Слишком много неверных паролей. Повторите через 21 минуту.",
    );
    expect(refused(russian, "fail.busy", 1)).toBe("Сервер занят. Повторите через 1 секунду.");
    expect(refused(english, "fail.attempts", 0)).toBe(en["fail.attempts"]); // a proxy said so, perhaps
    expect(refused(english, "fail.offline", 1500)).toBe(en["fail.offline"]);
  });
  test("times and sizes", () => {
    const now = new Date(2026, 10, 22, 15, 4).getTime();
    const at = (day: number, hour: number) => new Date(2026, 10, day, hour, 4).getTime();
    expect(clock(english, now)).toBe("15:04");
    expect(listTime(english, at(22, 9), now)).toBe("09:04");
    expect(listTime(russian, at(20, 9), now)).toBe("пт");
    expect(listTime(english, at(2, 9), now)).toBe("2 Nov");
    expect(dayName(russian, at(21, 23), now)).toBe("Вчера");
    expect(dayName(english, at(1, 9), now)).toBe("1 November");
    expect(dayName(english, new Date(2024, 1, 3).getTime(), now)).toBe("3 February 2024");
    expect([0, 1, 1024, 1_500_000, 1_048_575, 3 * 2 ** 30].map((n) => size(english, n))).toEqual([
      "0 bytes",
      "1 byte",
      "1 KB",
      "1.4 MB",
      "1 MB",
      "3 GB",
    ]);
  });
});
