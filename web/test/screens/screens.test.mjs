// Every screen over the made-up core, in a real browser, under the server's
// Content-Security-Policy: nothing is refused, nothing is asked of another
// origin, axe finds no fault. The pictures are left in test-output/screens for
// people to look at. SCREENS=all takes every combination of width, theme and
// language; otherwise each screen, but for mere variants, is taken in two of the
// eight.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromiumPath, open } from "./browser.mjs";
import { serve } from "./serve.mjs";

const web = fileURLToPath(new URL("../..", import.meta.url));
const output = join(web, "test-output/screens");
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const room = (n) => `#/r/room${"abcdefghijklmn"[n]}`.padEnd(30, "a");
const at = (hash) => (page) =>
  page.evaluate((h) => {
    location.hash = h;
  }, hash);
const group = at(room(1));
const direct = at(room(2));
const messages = (page) => page.locator("li[data-key]").last().waitFor();
const button = (page, name) => page.getByRole("button", { name, exact: true });
const press = (name) => (page) => button(page, name).click();
const steps =
  (...all) =>
  async (page) => {
    for (const step of all) await step(page);
  };
const menu = async (page) => {
  await button(page, /^(Menu|Меню)$/).click();
  await page.getByRole("dialog").waitFor();
};
const settings = (part) => async (page) => {
  await menu(page);
  await page.getByRole("dialog").getByRole("button", { name: part }).click();
};

// Calls. What the server would tell is said by the made-up core.
const say = (event, value) => (page) =>
  page.evaluate(
    ([event, value]) => {
      const call = globalThis.demo.model.calls.live.snapshot()?.state.snapshot().call?.id;
      globalThis.demo.core.emit(event, { call, ...value });
    },
    [event, value],
  );
const change = (number, part) => (page) =>
  page.evaluate(
    ([number, part]) => {
      const call = globalThis.demo.model.calls.live.snapshot()?.state.snapshot().call;
      globalThis.demo.core.calls.change(call.id, number, part);
    },
    [number, part],
  );
const dialog = (page) => page.getByRole("dialog").first().waitFor();
const question = (page) => page.getByRole("alertdialog").waitFor();
const pictures = (page) =>
  page.waitForFunction(() => {
    const videos = [...document.querySelectorAll("video")];
    return videos.length > 0 && videos.every((v) => v.videoWidth > 0);
  });

// Each screen: the situation of the core, and how one gets there.
const screens = [
  ["setup", "setup"],
  ["join", "join"],
  ["join-faults", "join", async (page) => page.locator("button[type=submit]").click()],
  ["sign-in", "signIn"],
  ["key", "join", enterAccount],
  ["enrolling", "enrolling"],
  ["ended", "ended"],
  ["ended-refused", "ended", steps(type("password", "wrong"), submit, fault)],
  ["ended-wipe", "ended", steps(press(/^(Remove what is stored here|Стереть сохранённое здесь)$/), question)],
  ["reset", "reset", (page) => page.locator("input[name=password]").waitFor()],
  ["reset-guessable", "reset", steps(type("password", "password"), submit, fault)],
  [
    "reset-enrol",
    "reset",
    steps(type("password", "granite otter lamp"), submit, (page) => page.locator("h2").first().waitFor()),
  ],
  ["reset-done", "resetOwn", steps(type("password", "granite otter lamp"), submit, gone("input"))],
  ["reset-other", "resetOther", (page) => page.locator("main h1").waitFor()],
  ["list", "plain"],
  ["list-empty", "empty"],
  ["list-search", "plain", async (page) => page.locator("search input").pressSequentially("и", { delay: 20 })],
  ["offline", "offline", steps(group, messages)],
  ["group", "main", steps(group, messages)],
  ["group-typing", "main", typing],
  ["direct", "pictures", steps(direct, messages)],
  ["unread", "plain", steps(at(room(6)), messages)],
  ["long", "long", scrolledUp],
  ["message-menu", "main", messageMenu],
  ["reply", "main", reply],
  ["attachments", "main", attachments],
  ["emoji", "main", emoji],
  ["lightbox", "pictures", lightbox],
  ["delete", "main", remove],
  ["details", "main", details],
  ["details-add", "main", steps(details, press(/^(Add people|Добавить людей)$/))],
  ["details-shut", "shut", details],
  ["left", "plain", steps(at(room(12)), messages)],
  ["new-chat", "plain", newChat],
  ["new-chat-shut", "shut", newChat],
  ["new-group", "plain", steps(newChat, press(/^(New group|Новая группа)$/))],
  ["settings", "plain", menu],
  ["settings-devices", "plain", settings(/Devices|Устройства/)],
  ["settings-password", "plain", settings(/^(Password|Пароль)$/)],
  ["settings-password-faults", "plain", steps(newPassword("wrong", "short"), submit, fault)],
  ["settings-password-guessable", "plain", steps(newPassword("right", "password"), submit, fault)],
  [
    "settings-password-done",
    "plain",
    steps(newPassword("right", "granite otter lamp"), submit, gone("input[name=old]")),
  ],
  ["settings-invite", "plain", steps(settings(/Invite|Пригласить/), invite)],
  ["settings-people", "shut", settings(/^(People|Люди)$/)],
  ["settings-person", "plain", person(2)],
  ["settings-person-shut", "shut", person(4)],
  ["settings-person-self", "plain", person(0)],
  ["settings-shut-ask", "plain", steps(person(2), press(/^(Shut the account|Закрыть учётную запись)$/), question)],
  ["settings-prove", "plain", steps(person(2), deed(/^(Make a link|Создать ссылку)$/))],
  ["settings-prove-wrong", "plain", steps(person(2), deed(/^(Make a link|Создать ссылку)$/), proof("wrong"), fault)],
  ["settings-reset-link", "plain", steps(person(2), deed(/^(Make a link|Создать ссылку)$/), proof("right"), link)],
  ["settings-last-admin", "plain", lastAdmin],
  ["settings-recovery", "plain", settings(/Recovery|Ключ/)],
  ["settings-security", "plain", settings(/About|безопасности/)],
  ["settings-sign-out", "plain", settings(/Sign out|Выйти/)],
  ["pending-device", "pending"],
  ["notice-severe", "notices"],
  ["notice-news", "news"],
  ["restored", "restored", steps(group, messages)],
  ["restored-accept", "restored", steps(group, press(/^(Let them read|Пусть читают)$/), question)],
  ["call-banner", "calls", steps(group, messages)],
  ["call-rows", "calls", steps(direct, messages)],
  ["call-rings", "plain", (page) => rings(page, true)],
  ["call-lobby", "calls", lobby],
  ["call-group", "calls", inGroup],
  ["call-speaker", "calls", steps(inGroup, press(/^(Who speaks is large|Крупно тот, кто говорит)$/), pictures)],
  ["call-screen", "calls", steps(inGroup, change(3, { screen: true }), pictures)],
  [
    "call-people",
    "calls",
    steps(
      inGroup,
      change(2, { hand: 1 }),
      say("callKnock", { account: "personzz", name: "Яна Котова" }),
      press(/^(Participants|Участники)/),
    ),
  ],
  [
    "call-network",
    "calls",
    steps(
      inGroup,
      say("callQuality", { lossUp: 96, lossDown: 12, rtt: 340, down: 0, path: "tcp" }),
      press(/^(Devices and network|Устройства и сеть)$/),
    ),
  ],
  [
    "call-unverified",
    "calls",
    steps(inGroup, change(3, { leaf: -1 }), say("callReaction", { number: 2, name: "Борис Иванов", emoji: "👏" })),
  ],
  ["call-mini", "calls", steps(inGroup, press(/^(Back to the chat|Вернуться в чат)$/), pictures)],
  ["call-direct", "plain", inDirect],
  ["call-unsealed", "unsealed", steps(direct, messages, press(/^(Call|Позвонить)$/), dialog)],
  ["call-check", "plain", check],
];

// Fields and what is said about them.
function type(name, value) {
  return (page) => page.locator(`input[name=${name}]`).fill(value);
}

function submit(page) {
  return page.locator("button[type=submit]").last().click();
}

function fault(page) {
  return page.locator("[aria-invalid]").first().waitFor();
}

function gone(what) {
  return (page) => page.locator(what).first().waitFor({ state: "detached" });
}

function link(page) {
  return page.locator("output").waitFor();
}

function newPassword(old, fresh) {
  return steps(settings(/^(Password|Пароль)$/), type("old", old), type("new", fresh));
}

// person opens what can be done about somebody, by number.
function person(n) {
  return steps(settings(/^(People|Люди)$/), async (page) => {
    const name = await page.evaluate((n) => globalThis.demo.core.everybody(n).name, n);
    await page
      .getByRole("dialog")
      .getByRole("button", { name: new RegExp(name) })
      .click();
    await page.getByRole("dialog").locator("h4").first().waitFor();
  });
}

// deed asks for something that wants the password first.
function deed(name) {
  return async (page) => {
    await page.getByRole("dialog").getByRole("button", { name }).click();
    await question(page);
    await submit(page);
    await page.getByRole("alertdialog").locator("input").waitFor();
  };
}

function proof(password) {
  return async (page) => {
    await page.getByRole("alertdialog").locator("input").fill(password);
    await submit(page);
  };
}

async function lastAdmin(page) {
  await page.evaluate(() => globalThis.demo.core.alone());
  await person(0)(page);
  await deed(/^(Shut the account|Закрыть учётную запись)$/)(page);
  await proof("right")(page);
  await page.getByRole("alertdialog").getByRole("alert").waitFor();
}

// Variants of screens that are taken anyway: SCREENS=all or ONLY takes these too.
const variants = new Set([
  "ended",
  "ended-wipe",
  "reset-guessable",
  "reset-enrol",
  "reset-done",
  "reset-other",
  "new-chat-shut",
  "settings-password",
  "settings-password-guessable",
  "settings-password-done",
  "settings-people",
  "settings-person",
  "settings-person-shut",
  "settings-person-self",
  "settings-shut-ask",
  "settings-prove",
  "settings-last-admin",
]);

async function lobby(page) {
  await group(page);
  await messages(page);
  await button(page, /^(Join|Войти)$/).click();
  await dialog(page);
}

async function inGroup(page) {
  await lobby(page);
  await button(page, /^(Join the call|Войти в звонок)$/).click();
  await page.getByRole("toolbar").waitFor();
  await pictures(page);
  await say("callSpeakers", { numbers: [2] })(page);
}

async function inDirect(page) {
  await direct(page);
  await messages(page);
  await button(page, /^(Call|Позвонить)$/).click();
  await page.getByRole("toolbar").waitFor();
}

async function rings(page, video) {
  await page.evaluate((video) => {
    const { core, model } = globalThis.demo;
    const { people } = model.people.list.snapshot();
    const by = people.find((p) => !p.me);
    core.emit("ring", {
      call: "callzaaaaaaaaaaaaaaaaaaaaa",
      room: "roomc".padEnd(26, "a"),
      direct: true,
      by: by.id,
      name: by.name,
      title: by.name,
      video,
      until: Date.now() + 60_000,
    });
  }, video);
  await page.getByRole("alertdialog").waitFor();
}

async function check(page) {
  await settings(/^(Calls|Звонки)$/)(page);
  await button(page, /^(Test now|Проверить)$/).click();
  await button(page, /^(Test again|Проверить ещё раз)$/).waitFor();
}

async function enterAccount(page) {
  await page.locator("input[name=username]").fill("Anna");
  await page.locator("input[name=password]").fill("correct horse battery");
  await page.locator("button[type=submit]").click();
  await page.locator("input[type=checkbox]").waitFor();
}

async function typing(page) {
  await group(page);
  await messages(page);
  await page.evaluate((id) => globalThis.demo.core.typing(id, 2), room(1).slice(4));
}

async function scrolledUp(page) {
  await group(page);
  await messages(page);
  const box = page.locator("ol").last();
  await box.hover();
  for (let n = 0; n < 8; n++) {
    await page.mouse.wheel(0, -900);
    await page.waitForTimeout(60);
  }
  await page.getByRole("button", { name: /newest|последнему/ }).waitFor();
}

async function messageMenu(page) {
  await group(page);
  await messages(page);
  await page.locator("[data-bubble]").last().click({ button: "right" });
  await page.getByRole("menu").waitFor();
}

async function reply(page) {
  await messageMenu(page);
  await page.getByRole("menuitem", { name: /^(Reply|Ответить)$/ }).click();
  await page.locator("textarea").fill("Line one\nline two\nline three");
}

async function attachments(page) {
  await group(page);
  await messages(page);
  const photo = await page.evaluate(async () => {
    const canvas = new OffscreenCanvas(800, 600);
    const c = canvas.getContext("2d");
    const sky = c.createLinearGradient(0, 0, 800, 600);
    sky.addColorStop(0, "#88b4c4");
    sky.addColorStop(1, "#e9b27c");
    c.fillStyle = sky;
    c.fillRect(0, 0, 800, 600);
    return [...new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer())];
  });
  await page
    .locator("input[type=file]")
    .first()
    .setInputFiles([
      { name: "IMG_2044.png", mimeType: "image/png", buffer: Buffer.from(photo) },
      { name: "Contract.pdf", mimeType: "application/pdf", buffer: Buffer.alloc(81_000) },
    ]);
  await page.locator("footer li img").first().waitFor();
}

async function emoji(page) {
  await group(page);
  await messages(page);
  const open = button(page, /^(Emoji|Эмодзи)$/);
  if (!(await open.isVisible())) return; // phones bring their own
  await open.click();
  await page.locator('[frimousse-emoji]:not([aria-label=""])').first().waitFor();
}

async function lightbox(page) {
  await direct(page);
  await messages(page);
  await page
    .getByRole("button", { name: /^(Open|Открыть)/ })
    .last()
    .click();
  await page.getByRole("dialog").locator("img").last().waitFor();
}

async function remove(page) {
  await messageMenu(page);
  await page.getByRole("menuitem", { name: /^(Delete|Удалить)$/ }).click();
  await page.getByRole("alertdialog").waitFor();
}

async function details(page) {
  await at(`${room(1)}/info`)(page);
  await page
    .getByRole("region", { name: /Details|Подробности/ })
    .locator("li")
    .first()
    .waitFor();
}

async function newChat(page) {
  await button(page, /^(New chat|Новый чат)$/)
    .first()
    .click();
  await page.getByRole("dialog").waitFor();
}

async function invite(page) {
  await page
    .getByRole("dialog")
    .getByRole("button", { name: /^(Make an invite link|Создать ссылку-приглашение)$/ })
    .click();
  await page.locator("output").waitFor();
}

const every = [1280, 390].flatMap((width) =>
  ["light", "dark"].flatMap((theme) => ["en", "ru"].map((language) => ({ width, theme, language }))),
);
const usual = [
  { width: 1280, theme: "light", language: "en" },
  { width: 390, theme: "dark", language: "ru" },
];
const only = process.env.ONLY?.split(",");
const skip = !existsSync(chromiumPath) && `no browser at ${chromiumPath}: set CHROMIUM, or apt-get install chromium`;

describe("screens", { skip }, () => {
  let site;
  before(async () => {
    await mkdir(output, { recursive: true });
    site = await serve(join(web, "dist-demo"));
  });
  after(() => site.close());

  for (const look of process.env.SCREENS === "all" ? every : usual) {
    const name = `${look.width}-${look.theme}-${look.language}`;
    describe(name, () => {
      let browser;
      before(async () => {
        browser = await open({ ...look, touch: look.width < 700 });
      });
      after(() => browser.close());

      for (const [screen, scene, go] of screens) {
        if (only ? !only.includes(screen) : process.env.SCREENS !== "all" && variants.has(screen)) continue;
        test(screen, async () => {
          const { page, trouble, origins } = browser;
          trouble.length = 0;
          const { theme, language } = look;
          await page.goto("about:blank");
          await page.goto(`${site.origin}/index.html?screen=${scene}&theme=${theme}&language=${language}`);
          await page.waitForFunction(() => globalThis.demo);
          await page.evaluate(() => globalThis.demo.core.call("status", {}));
          await page.locator("nav, main h1").first().waitFor({ state: "attached" });
          if (go) await go(page);
          await still(page);
          await page.screenshot({ path: join(output, `${screen}-${name}.png`) });
          const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert.ok(wide <= 0, `the page is ${wide} px wider than the window`);
          assert.deepEqual(trouble, [], "console");
          for (const o of origins) assert.ok(["null", "blob:", site.origin].includes(o), `asked ${o}`);
          assert.deepEqual(await faults(page), [], "axe");
        });
      }
    });
  }
});

// still waits until what moves only once has come to rest, and pictures are drawn.
async function still(page) {
  await page.waitForFunction(
    () =>
      document
        .getAnimations()
        .every((a) => a.effect?.getTiming().iterations === Infinity || a.playState === "finished") &&
      [...document.images].every((i) => i.complete),
  );
  await page.waitForTimeout(150); // pictures are decoded off the main thread
}

// faults is what axe finds. It is handed over by the test's own channel, which
// the page's policy does not bind.
async function faults(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => {
    // While a dialog is open the page behind it is hidden from assistive tools,
    // and its landmarks with it.
    const behind = document.querySelector("[role=dialog], [role=alertdialog]")
      ? { "landmark-one-main": { enabled: false }, "page-has-heading-one": { enabled: false } }
      : {};
    return globalThis.axe.run(document, {
      resultTypes: ["violations"],
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"],
      rules: behind,
    });
  });
  return violations.flatMap((v) =>
    v.nodes.map((n) => `${v.id}: ${n.target.join(" ")}: ${n.failureSummary?.split("\n")[1] ?? ""}`),
  );
}
