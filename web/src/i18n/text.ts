import { useSyncExternalStore } from "react";
import { en } from "./en.ts";
import { ru } from "./ru.ts";

export type Key = keyof typeof en;
type Forms = Partial<Record<Intl.LDMLPluralRule, string>> & { readonly other: string };
export type Catalogue = { readonly [K in Key]: (typeof en)[K] extends string ? string : Forms };

export type Language = "en" | "ru";
export type LanguageChoice = Language | "system";
export type Values = Readonly<Record<string, string | number>>;

// Text speaks one language.
export interface Text {
  (key: Key, values?: Values): string;
  readonly language: Language;
}

const catalogues: Record<Language, Catalogue> = { en, ru };

// textIn makes the Text of a language. The value n chooses between forms, by
// the plural rules of the language, and is written with its digits grouped.
export function textIn(language: Language): Text {
  const rules = new Intl.PluralRules(language);
  const digits = new Intl.NumberFormat(language);
  const catalogue = catalogues[language];
  const say = (key: Key, values: Values = {}): string => {
    const entry: string | Forms = catalogue[key];
    const n = values.n;
    const form = typeof entry === "string" ? entry : (entry[rules.select(Number(n))] ?? entry.other);
    return form.replace(/\{(\w+)\}/g, (_, name: string) => {
      const value = values[name] ?? "";
      return typeof value === "number" ? digits.format(value) : value;
    });
  };
  return Object.assign(say, { language });
}

// languageFor turns what the person chose, or else what the browser prefers,
// into a language that we speak.
export function languageFor(choice: LanguageChoice, preferred: readonly string[]): Language {
  if (choice !== "system") return choice;
  for (const tag of preferred) {
    const language = tag.toLowerCase().split("-", 1)[0];
    if (language === "ru" || language === "en") return language;
  }
  return "en";
}

// The language on screen. It is one for the whole page, as document.lang is.
let current: Text = textIn("en");
const hearers = new Set<() => void>();

export function speak(language: Language): void {
  if (language === current.language) return;
  current = textIn(language);
  for (const hear of [...hearers]) hear();
}

function subscribe(hear: () => void): () => void {
  hearers.add(hear);
  return () => hearers.delete(hear);
}

// useText renders the component anew when the language changes.
export function useText(): Text {
  return useSyncExternalStore(subscribe, () => current);
}
