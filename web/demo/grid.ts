// All looks of one screen beside one another: grid.html?screen=main
export {};

const shown = new URLSearchParams(location.search).get("screen") ?? "main";
for (const width of [1280, 390]) {
  for (const theme of ["light", "dark"]) {
    for (const language of ["en", "ru"]) {
      const frame = document.createElement("iframe");
      frame.title = `${theme} ${language} ${width}`;
      frame.width = String(width);
      frame.height = "800";
      frame.src = `index.html?screen=${shown}&theme=${theme}&language=${language}`;
      document.body.append(frame);
    }
  }
}
