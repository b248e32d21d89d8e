import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const flags = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export const chromiumPath = process.env.CHROMIUM ?? "/usr/bin/chromium";

// open starts a browser with an empty profile. Chromium writes no page errors
// and no refused styles unnoticed: they are collected in trouble.
export async function open({ width, height = 800, theme = "light", language = "en", touch = false }) {
  const profile = await mkdtemp(join(tmpdir(), "veche-screens-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: chromiumPath,
    args: flags,
    viewport: { width, height },
    colorScheme: theme,
    locale: language === "ru" ? "ru-RU" : "en-GB",
    timezoneId: "Europe/Moscow",
    hasTouch: touch,
    isMobile: touch,
    deviceScaleFactor: Number(process.env.SCALE ?? 1),
    permissions: ["clipboard-write", "clipboard-read"],
  });
  const page = context.pages()[0] ?? (await context.newPage());
  page.setDefaultTimeout(10_000);
  const trouble = [];
  page.on("console", (m) => ["error", "warning"].includes(m.type()) && trouble.push(`${m.type()}: ${m.text()}`));
  page.on("pageerror", (e) => trouble.push(`page error: ${e.message}`));
  const origins = new Set();
  page.on("request", (r) => origins.add(new URL(r.url()).protocol === "blob:" ? "blob:" : new URL(r.url()).origin));
  return {
    page,
    trouble,
    origins,
    close: async () => {
      await context.close();
      await rm(profile, { recursive: true, force: true });
    },
  };
}
