// How the conversation behaves in a real browser: what only layout, focus and
// a real canvas can show.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromiumPath, open } from "./browser.mjs";
import { serve } from "./serve.mjs";

const web = fileURLToPath(new URL("../..", import.meta.url));
const skip = !existsSync(chromiumPath) && `no browser at ${chromiumPath}: set CHROMIUM, or apt-get install chromium`;
const room = (n) => `#/r/room${"abcdefghijklmn"[n]}`.padEnd(30, "a");
const rows = "li[data-key]";

describe("behaviour", { skip }, () => {
  let site;
  let browser;
  let page;
  before(async () => {
    site = await serve(join(web, "dist-demo"));
    browser = await open({ width: 1280 });
    page = browser.page;
  });
  after(async () => {
    await browser.close();
    site.close();
  });

  async function enter(scene, hash) {
    await page.goto("about:blank");
    await page.goto(`${site.origin}/index.html?screen=${scene}&theme=light&language=en`);
    await page.waitForFunction(() => globalThis.demo);
    await page.evaluate(() => globalThis.demo.core.call("status", {}));
    await page.locator("nav a[data-room]").first().waitFor();
    if (!hash) return;
    await page.evaluate((h) => {
      location.hash = h;
    }, hash);
    await page.locator(rows).last().waitFor();
  }

  test("a room opens at its newest message and stays there when one comes", async () => {
    await enter("long", room(1));
    const below = () =>
      page.evaluate(() => {
        const box = document.querySelector("ol").closest(".scroll");
        return Math.round(box.scrollHeight - box.scrollTop - box.clientHeight);
      });
    assert.ok((await below()) <= 1);
    await page.evaluate((id) => globalThis.demo.core.say(id, 2, "one more"), room(1).slice(4));
    await page.locator(rows).filter({ hasText: "one more" }).waitFor();
    assert.ok((await below()) <= 1);
  });

  test("older messages come without moving what is being read, and the page stays small", async () => {
    await enter("long", room(1));
    for (let n = 0; n < 6; n++) {
      const moved = await page.evaluate(async () => {
        const box = document.querySelector("ol").closest(".scroll");
        const all = () => [...box.querySelectorAll("li[data-key]")];
        const first = all()[0].dataset.key;
        box.scrollTop = 300;
        const top = box.getBoundingClientRect().top;
        const read = all().find((r) => r.getBoundingClientRect().top >= top);
        const before = read.getBoundingClientRect().top;
        for (let i = 0; i < 200 && all()[0].dataset.key === first; i++) await new Promise(requestAnimationFrame);
        if (all()[0].dataset.key === first) throw new Error("no older rows came");
        for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame);
        return { by: read.getBoundingClientRect().top - before, count: all().length, still: read.isConnected };
      });
      assert.ok(moved.still, "the row that was read is gone");
      assert.ok(Math.abs(moved.by) <= 1, `what was read moved by ${moved.by} px`);
      assert.ok(moved.count <= 120, `${moved.count} rows in the page`);
    }
  });

  test("the way down again ends at the newest message", async () => {
    await page.getByRole("button", { name: /newest/ }).click();
    await page.getByText("Anything else until Thursday?").last().waitFor();
    assert.ok((await page.locator(rows).count()) <= 120);
  });

  test("a message stands in the list before the core has answered, and its row is not drawn anew", async () => {
    await enter("plain", room(1));
    await page.locator("textarea").fill("at once");
    const seen = await page.evaluate(async () => {
      const { core } = globalThis.demo;
      let answered = false;
      const call = core.call.bind(core);
      core.call = async (...args) => {
        const got = await call(...args);
        if (args[0] === "send") answered = true;
        return got;
      };
      const field = document.querySelector("textarea");
      field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true }));
      await new Promise(requestAnimationFrame);
      const row = [...document.querySelectorAll("li[data-key]")].at(-1);
      globalThis.row = row;
      return {
        text: row.textContent,
        answered,
        field: field.value,
        state: row.querySelector("[data-state]").dataset.state,
      };
    });
    assert.match(seen.text, /at once/);
    assert.deepEqual([seen.answered, seen.field, seen.state], [false, "", "saved"]);
    await page.locator(`${rows} >> nth=-1 >> [data-state=delivered]`).waitFor();
    assert.ok(await page.evaluate(() => globalThis.row.isConnected && globalThis.row.textContent.includes("at once")));
    assert.equal(await page.locator(rows).filter({ hasText: "at once" }).count(), 1);
  });

  test("Shift+Enter breaks the line; words left behind are there when one comes back", async () => {
    const field = page.locator("textarea");
    await field.pressSequentially("one");
    await field.press("Shift+Enter");
    await field.pressSequentially("two");
    assert.equal(await field.inputValue(), "one\ntwo");
    await page.locator("nav a[data-room]").nth(3).click();
    await page.waitForFunction(() => document.querySelector("textarea")?.value !== "one\ntwo");
    await page.goBack();
    await page.waitForFunction(() => document.querySelector("textarea")?.value === "one\ntwo");
  });

  test("everything is reached by keyboard, in reading order, and lists are one stop each", async () => {
    await enter("plain", room(1));
    await page.locator("textarea").waitFor();
    await page.getByRole("button", { name: "Menu" }).focus();
    const stops = ["Menu"];
    for (let n = 0; n < 40; n++) {
      await page.keyboard.press("Tab");
      const stop = await page.evaluate(() => {
        const e = document.activeElement;
        if (e === document.body) return "";
        if (e.matches("nav a")) return "room";
        if (e.matches("li[data-key]")) return "message";
        return e.getAttribute("aria-label") ?? e.textContent.slice(0, 30);
      });
      if (stop === "Menu") break;
      stops.push(stop);
    }
    const order = [
      "Menu",
      "Find a chat or a person",
      "New chat",
      "room",
      "Details",
      "message",
      "Attach",
      "Write a message",
      "Emoji",
    ];
    assert.deepEqual(
      stops.filter((s) => order.includes(s)),
      order,
      stops.join(" → "),
    );
  });

  test("arrow keys walk through rooms and messages, Enter opens", async () => {
    await enter("plain");
    await page.locator("nav a[tabindex='0']").focus();
    await page.keyboard.press("ArrowDown");
    await page.waitForFunction(() => document.activeElement === document.querySelectorAll("nav a")[1]);
    await page.keyboard.press("Enter");
    await page.locator(rows).last().waitFor();
    await page.locator(`${rows}[tabindex='0']`).focus();
    const last = await page.evaluate(() => document.activeElement.dataset.key);
    await page.keyboard.press("ArrowUp");
    assert.notEqual(await page.evaluate(() => document.activeElement.dataset.key), last);
    await page.keyboard.press("Enter");
    await page.getByRole("menu").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("menu").waitFor({ state: "detached" });
  });

  test("pictures are walked through with arrow keys; Escape goes back to where one was", async () => {
    await enter("pictures", room(2));
    const tile = page.getByRole("button", { name: /^Open/ }).last();
    await tile.focus();
    await page.keyboard.press("Enter");
    const count = page.locator("[role=dialog] header span[aria-live]");
    await count.waitFor();
    const at = await count.textContent();
    await page.keyboard.press("ArrowLeft");
    await page.waitForFunction(
      (was) => document.querySelector("[role=dialog] header span[aria-live]").textContent !== was,
      at,
    );
    await page.keyboard.press("Escape");
    await count.waitFor({ state: "detached" });
    await page.waitForFunction(() => /^Open/.test(document.activeElement.getAttribute("aria-label") ?? ""));
  });

  test("a film plays under the page's policy", async () => {
    await page.getByRole("button", { name: /^Play/ }).click();
    await page.locator("video").waitFor();
    await page.waitForFunction(
      () => document.querySelector("video")?.currentTime > 0 || document.querySelector("video")?.ended,
    );
    await page.keyboard.press("Escape");
  });

  for (const [name, asFile] of [
    ["a photo leaves without what the camera wrote into it", false],
    ["… unless it is sent as a file", true],
  ]) {
    test(name, async () => {
      await enter("plain", room(1));
      const bytes = await page.evaluate(async () => {
        const canvas = new OffscreenCanvas(3000, 2000);
        const c = canvas.getContext("2d");
        c.fillStyle = "#3a6";
        c.fillRect(0, 0, 3000, 2000);
        return [...new Uint8Array(await (await canvas.convertToBlob({ type: "image/jpeg" })).arrayBuffer())];
      });
      const note = Buffer.from("Exif\0\0GPS canary 58.5213 31.2710");
      const exif = Buffer.concat([Buffer.from([0xff, 0xe1, 0, note.length + 2]), note]);
      const jpeg = Buffer.from(bytes);
      const photo = Buffer.concat([jpeg.subarray(0, 2), exif, jpeg.subarray(2)]);
      await page.evaluate(() => {
        const { core } = globalThis.demo;
        const call = core.call.bind(core);
        core.call = async (name, params, blobs) => {
          if (name === "send") {
            globalThis.sent = { params, text: await blobs[0].text(), size: blobs[0].size };
          }
          return call(name, params, blobs);
        };
      });
      await page
        .locator("input[type=file]")
        .first()
        .setInputFiles([{ name: "DSC_1.jpg", mimeType: "image/jpeg", buffer: photo }]);
      await page.locator("footer li").first().waitFor();
      if (asFile) await page.getByLabel("Send as files, unchanged").check();
      await page.locator("textarea").press("Enter");
      await page.waitForFunction(() => globalThis.sent);
      const { text, params, size } = await page.evaluate(() => globalThis.sent);
      assert.equal(text.includes("GPS canary"), asFile);
      const [file] = params.files;
      if (asFile) {
        assert.deepEqual([size, file.type, file.preview], [photo.length, "image/jpeg", undefined]);
      } else {
        assert.deepEqual([file.width, file.height, file.type], [2560, 1707, "image/webp"]);
        assert.ok(Buffer.from(file.preview, "base64").length <= 12 << 10);
        assert.ok(file.thumb);
      }
      // The attachment rests in the message as a picture or as a file.
      await page.locator(`${rows} >> nth=-1 >> [data-state=delivered]`).waitFor();
    });
  }

  test("nothing was refused by the policy and nothing went wrong on the way", () => {
    assert.deepEqual(browser.trouble, []);
    for (const o of browser.origins) assert.ok(["null", "blob:", site.origin].includes(o), `asked ${o}`);
  });
});
