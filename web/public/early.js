// Runs before the first paint, so that the page never flashes in the wrong theme.
(() => {
  try {
    const theme = localStorage.getItem("veche.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
    const language = localStorage.getItem("veche.language");
    if (language === "ru" || language === "en") document.documentElement.lang = language;
  } catch {
    // No storage: as the system has it.
  }
})();
