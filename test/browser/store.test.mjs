// What is stored in a browser, when things go wrong. docs/spec/browser.md.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { Person } from "./rig/person.mjs";
import { Site } from "./rig/site.mjs";
import * as does from "./rig/steps.mjs";
import { story } from "./rig/story.mjs";
import { until } from "./rig/until.mjs";

let site;
let dora;
const step = story("store", () => ({ people: [dora], site }));

before(async () => {
  site = await Site.make();
  await site.start();
  dora = new Person(site, { name: "Dora", origin: site.local, language: "en" });
  await dora.open();
});

after(async () => {
  await dora?.close();
  await site?.remove();
});

step("somebody writes to oneself", async () => {
  await does.setUp(dora, await site.setupToken(), "Dora & Co");
  await does.keepKey(dora);
  await does.notes(dora);
  await does.write(dora, "remember the milk");
  await does.sent(dora, "remember the milk");
});

step("the key of the store cannot be read by a script", async () => {
  const kept = await dora.page.evaluate(
    () =>
      new Promise((resolve, reject) => {
        const open = indexedDB.open("veche");
        open.onerror = () => reject(open.error);
        open.onsuccess = () => {
          const get = open.result.transaction("keys").objectStore("keys").get("store");
          get.onsuccess = async () => {
            const { wrap, sealed } = get.result;
            const exported = await crypto.subtle.exportKey("raw", wrap).then(
              () => "exported",
              (e) => e.name,
            );
            resolve({ extractable: wrap.extractable, exported, sealed: sealed.byteLength });
          };
        };
      }),
  );
  assert.deepEqual(kept, { extractable: false, exported: "InvalidAccessError", sealed: 32 + 16 });
});

step("after the crash of the page that owned the device another goes on", async () => {
  const second = await dora.browser.newPage();
  await second.goto(dora.page.url());
  await does.reads(dora, "remember the milk", second);
  const cdp = await dora.browser.newCDPSession(dora.page);
  const crashed = new Promise((resolve) => dora.page.once("crash", resolve));
  // The process that crashes may be the one in which the service worker runs:
  // what the other page fetched through it in that moment fails, and is fetched
  // again when it is needed.
  dora.excused = /net::ERR_FAILED/;
  void cdp.send("Page.crash").catch(() => {});
  await crashed;
  // Nobody can know whether the crashed page stored what was asked of it just
  // then: such words are given back, and are sent again.
  const field = does.composer(dora, second);
  await field.fill("still here");
  await field.press("Enter");
  await until("the words are sent", async () => {
    if ((await field.inputValue()) === "still here") await field.press("Enter");
    const row = does.row(dora, "still here", second).first();
    return (await row.count()) > 0 && Number(await row.getAttribute("data-seq", { timeout: 1000 })) > 0;
  });
  await dora.page.close();
  dora.page = second;
  await second.reload();
  dora.excused = undefined;
  await does.reads(dora, "still here");
  assert.equal((await does.texts(dora, /still here/)).length, 1);
});

step("a key that does not open is said, and nothing is deleted", async () => {
  const swap = (to) =>
    dora.page.evaluate(
      (to) =>
        new Promise((resolve, reject) => {
          const open = indexedDB.open("veche");
          open.onerror = () => reject(open.error);
          open.onsuccess = () => {
            const store = open.result.transaction("keys", "readwrite").objectStore("keys");
            const get = store.get(to === "bad" ? "store" : "aside");
            get.onsuccess = () => {
              const kept = get.result;
              if (to === "bad") store.put(kept, "aside");
              const sealed = to === "bad" ? new Uint8Array(kept.sealed.byteLength).buffer : kept.sealed;
              store.put({ ...kept, sealed }, "store").onsuccess = () => resolve();
            };
          };
        }),
      to,
    );
  await swap("bad");
  await dora.page.reload();
  await dora.page.getByText(dora.t("fail.damaged_store")).waitFor();
  await swap("good");
  await dora.page.reload();
  await does.reads(dora, "still here");
});

step("files that somebody else still holds are waited for, and never deleted", async () => {
  // A page without a core, which holds one of the database's files open.
  const holder = await dora.browser.newPage();
  await holder.route("**/favicon.ico", (r) => r.fulfill({ status: 204 })); // a picture has no icon of its own
  await holder.goto(`${dora.origin}/icon.svg`);
  await dora.page.goto("about:blank");
  await until("a file is held", () =>
    holder.evaluate(async () => {
      const root = await navigator.storage.getDirectory();
      const files = await (await root.getDirectoryHandle(".veche")).getDirectoryHandle(".opaque");
      let emptiest;
      for await (const file of files.values()) {
        const { size } = await file.getFile();
        if (!emptiest || size < emptiest.size) emptiest = { file, size };
      }
      globalThis.held = await emptiest.file.createWritable({ keepExistingData: true });
      return true;
    }),
  );
  await dora.page.goto(dora.origin);
  const opening = dora.page.getByRole("status", { name: dora.t("app.loading") });
  await opening.waitFor();
  // Longer than one worker tries, so that one has given up and another begun.
  await new Promise((resolve) => setTimeout(resolve, 13_000));
  assert.ok(await opening.isVisible());
  await holder.evaluate(() => globalThis.held.abort());
  await holder.close();
  await does.openRoom(dora, dora.t("rooms.self"));
  await does.reads(dora, "still here");
  await does.reads(dora, "remember the milk");
});

step("a full disk refuses what does not fit, and keeps the rest", async () => {
  const cdp = await dora.browser.newCDPSession(dora.page);
  const { usage } = await cdp.send("Storage.getUsageAndQuota", { origin: dora.origin });
  await cdp.send("Storage.overrideQuotaForOrigin", { origin: dora.origin, quotaSize: usage + 256 * 1024 });
  await dora.page.locator("input[type=file]:not([accept])").setInputFiles({
    name: "large.bin",
    mimeType: "application/octet-stream",
    buffer: Buffer.alloc(6 << 20, 7),
  });
  await does.composer(dora).fill("too large for this disk");
  await does.composer(dora).press("Enter");
  await until("it is said that there is no space", async () => {
    const text = await dora.page.locator("body").innerText();
    return text.includes(dora.t("fail.no_space")) || text.includes(dora.t("write.failed"));
  });
  await cdp.send("Storage.overrideQuotaForOrigin", { origin: dora.origin });
  await does.write(dora, "and on we go");
  await does.sent(dora, "and on we go");
  await dora.page.reload();
  await does.reads(dora, "and on we go");
  await does.reads(dora, "remember the milk");
});

step("nothing went wrong on the way", () => {
  assert.deepEqual(dora.trouble, []);
  assert.deepEqual([...dora.origins], [dora.origin]);
});
