// Somebody in a browser of their own: a profile, its tabs, and all that went
// wrong in it.
import { createRequire } from "node:module";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { words } from "./words.mjs";

const require = createRequire(new URL("../../../web/package.json", import.meta.url));
const { chromium } = require("playwright-core");

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export const output = fileURLToPath(new URL("../output/", import.meta.url));

// looks are two in which each language, theme and width comes once; all that
// there are with PICTURES=all, which takes a minute longer and claims no more.
const looks =
  process.env.PICTURES === "all"
    ? [1280, 390].flatMap((width) => ["en", "ru"].flatMap((language) => ["light", "dark"].map((scheme) => ({ width, language, scheme }))))
    : [
        { width: 1280, language: "en", scheme: "light" },
        { width: 390, language: "ru", scheme: "dark" },
      ];

// speak has the browser prefer another language from now on, as its settings would.
function speak(page, language) {
  return page.evaluate((language) => {
    Object.defineProperty(navigator, "languages", { value: [language], configurable: true });
    dispatchEvent(new Event("languagechange"));
  }, language);
}

export class Person {
  constructor(site, { name, origin, language, device = name, scheme = "light", width = 1280, flags = [] }) {
    Object.assign(this, { site, name, origin, language, device, scheme, width, flags });
    this.t = words(language);
    this.password = `${name} has a long password`;
    this.profile = join(site.dir, "profiles", device);
    this.trouble = []; // what a person or an administrator would have to worry about
    this.away = false; // the server is stopped: failed requests are no trouble
    this.excused = undefined; // a pattern of console messages that are no trouble just now
    this.origins = new Set();
  }

  /** open starts the browser. */
  async open() {
    const args = [...flags, ...this.flags];
    if (this.origin.startsWith("https:")) args.push(`--ignore-certificate-errors-spki-list=${this.site.trust()}`);
    this.browser = await chromium.launchPersistentContext(this.profile, {
      executablePath,
      headless: true,
      args,
      locale: this.language === "ru" ? "ru-RU" : "en-GB",
      timezoneId: "Europe/Moscow",
      colorScheme: this.scheme,
      viewport: { width: this.width, height: 800 },
      acceptDownloads: true,
    });
    this.browser.setDefaultTimeout(30_000);
    this.browser.on("request", (r) => this.asked(r.url()));
    await this.browser.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (e) => {
        console.error(`CSP: ${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber} ${e.sample}`);
      });
    });
    this.page = this.watch(this.browser.pages()[0]);
    this.browser.on("page", (p) => this.watch(p));
  }

  asked(url) {
    const u = new URL(url);
    if (u.protocol !== "blob:" && u.protocol !== "data:" && u.protocol !== "about:") this.origins.add(u.origin.replace(/^ws/, "http"));
  }

  watch(page) {
    page.on("websocket", (w) => this.asked(w.url()));
    page.on("pageerror", (e) => this.trouble.push(`exception: ${e.message}`));
    page.on("console", (m) => {
      if (m.type() !== "error" && m.type() !== "warning") return;
      if (this.excused?.test(m.text())) return;
      if (this.away && /ERR_CONNECTION|WebSocket connection|Failed to load resource|50[023]/.test(m.text())) return;
      this.trouble.push(`console ${m.type()}: ${m.text()} (${m.location().url})`);
    });
    return page;
  }

  /** shoot keeps pictures of a page, and goes through both languages, themes and widths for them. */
  async shoot(step, page = this.page) {
    mkdirSync(output, { recursive: true });
    for (const { width, language, scheme } of looks) {
      await page.setViewportSize({ width, height: 800 });
      await speak(page, language);
      await page.emulateMedia({ colorScheme: scheme });
      await page.waitForTimeout(150); // a picture of a thing that moves says nothing; no claim depends on it
      await page.screenshot({ path: join(output, `${step}-${this.device}-${language}-${scheme}-${width}.png`) });
    }
    await speak(page, this.language);
    await page.setViewportSize({ width: this.width, height: 800 });
    await page.emulateMedia({ colorScheme: this.scheme });
  }

  async close() {
    await this.browser?.close();
  }
}
