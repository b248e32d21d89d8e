import { type LanguageChoice, useText } from "../../i18n/text.ts";
import { Choice } from "../../ui/Field.tsx";
import css from "./Settings.module.css";

export type ThemeChoice = "light" | "dark" | "system";

// Appearance is the theme and the language.
export function Appearance({
  choices,
}: {
  choices: {
    readonly theme: ThemeChoice;
    readonly language: LanguageChoice;
    setTheme(theme: ThemeChoice): void;
    setLanguage(language: LanguageChoice): void;
  };
}) {
  const t = useText();
  return (
    <div className={css.stack}>
      <Choice<ThemeChoice>
        label={t("settings.theme")}
        value={choices.theme}
        onChange={(theme) => choices.setTheme(theme)}
        options={[
          { value: "system", label: t("settings.themeSystem") },
          { value: "light", label: t("settings.themeLight") },
          { value: "dark", label: t("settings.themeDark") },
        ]}
      />
      <Choice<LanguageChoice>
        label={t("settings.language")}
        value={choices.language}
        onChange={(language) => choices.setLanguage(language)}
        options={[
          { value: "system", label: t("settings.languageSystem") },
          // Languages are named in themselves, whatever the page speaks.
          { value: "en", label: nameOf("en") },
          { value: "ru", label: nameOf("ru") },
        ]}
      />
    </div>
  );
}

function nameOf(language: "en" | "ru"): string {
  const name = new Intl.DisplayNames(language, { type: "language" }).of(language) ?? language;
  return name.charAt(0).toUpperCase() + name.slice(1);
}
