import { type LanguageChoice, languageFor, speak } from "../i18n/text.ts";
import { Store } from "../model/store.ts";

export type ThemeChoice = "light" | "dark" | "system";

export interface Chosen {
  readonly theme: ThemeChoice;
  readonly language: LanguageChoice;
}

// The same keys are read by public/early.js before the first paint.
const themeKey = "veche.theme";
const languageKey = "veche.language";

// Choices is how this browser shows Veche. It is no secret and no message, so
// it lives in localStorage.
export class Choices {
  readonly chosen: Store<Chosen>;

  constructor() {
    this.chosen = new Store<Chosen>(stored());
    this.#apply();
    addEventListener("languagechange", () => this.#apply());
    // Another tab chose.
    addEventListener("storage", (e) => {
      if (e.key === themeKey || e.key === languageKey) {
        this.chosen.set(stored());
        this.#apply();
      }
    });
  }

  setTheme(theme: ThemeChoice): void {
    write(themeKey, theme);
    this.chosen.update({ theme });
    this.#apply();
  }

  setLanguage(language: LanguageChoice): void {
    write(languageKey, language);
    this.chosen.update({ language });
    this.#apply();
  }

  #apply(): void {
    const { theme, language } = this.chosen.snapshot();
    const root = document.documentElement;
    if (theme === "system") delete root.dataset.theme;
    else root.dataset.theme = theme;
    const spoken = languageFor(language, navigator.languages);
    root.lang = spoken;
    speak(spoken);
  }
}

function stored(): Chosen {
  const theme = read(themeKey);
  const language = read(languageKey);
  return {
    theme: theme === "light" || theme === "dark" ? theme : "system",
    language: language === "en" || language === "ru" ? language : "system",
  };
}

function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // storage may be forbidden; then everything is as the system has it
  }
}

function write(key: string, value: string): void {
  try {
    if (value === "system") localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // It holds until the page is closed.
  }
}
