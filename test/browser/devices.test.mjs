// One person with three devices: let in by another, let in by the recovery key,
// removed, and wiped. docs/spec/identity.md, docs/spec/browser.md.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { Person } from "./rig/person.mjs";
import { Site } from "./rig/site.mjs";
import * as does from "./rig/steps.mjs";
import { story } from "./rig/story.mjs";
import { until } from "./rig/until.mjs";

const canary = "canary in the notes 4711";

let site;
let laptop;
let phone;
let tablet;
let key;
const step = story("devices", () => ({ people: [laptop, phone, tablet], site }));

before(async () => {
  site = await Site.make();
  await site.start();
  const eve = { name: "Eve", origin: site.local, language: "en" };
  laptop = new Person(site, { ...eve, device: "laptop" });
  phone = new Person(site, { ...eve, device: "phone", language: "ru", width: 390 });
  tablet = new Person(site, { ...eve, device: "tablet", origin: site.secure, scheme: "dark" });
  await laptop.open();
});

after(async () => {
  for (const device of [laptop, phone, tablet]) await device?.close();
  await site?.remove();
});

step("the first device keeps notes", async () => {
  await does.setUp(laptop, await site.setupToken(), "Eve alone");
  key = await does.keepKey(laptop);
  assert.match(key, /^([0-9A-Z]{5}-){7}[0-9A-Z]{5}$/);
  await does.notes(laptop);
  await does.write(laptop, "before the phone");
  await does.sent(laptop, "before the phone");
});

step("a second device is let in after its code was compared", async () => {
  await phone.open();
  await does.signIn(phone);
  await phone.page.getByRole("heading", { name: phone.t("enrol.title") }).waitFor();
  const ask = laptop.page.getByRole("dialog", { name: laptop.t("devices.askTitle") });
  await ask.waitFor();
  const shown = await until("the phone shows its code", () => does.code(phone.page, phone.t("enrol.code")));
  assert.match(shown, /^([0-9A-Z]{4}-){2}[0-9A-Z]{4}$/i);
  assert.equal(await does.code(ask, /./), shown);
  await phone.shoot("20-enrol");
  await laptop.shoot("20-ask");
  await ask.getByRole("button", { name: laptop.t("devices.allow") }).click();
  await does.rooms(phone).waitFor();
  await does.dismissStorage(phone);
});

step("it joins the rooms and hears what is written from now on", async () => {
  await does.openRoom(phone, phone.t("rooms.self"));
  await phone.page.getByText(phone.t("chat.start")).waitFor();
  await does.write(phone, "from the phone");
  await does.reads(laptop, "from the phone");
  await does.write(laptop, "from the laptop");
  await does.reads(phone, "from the laptop");
  assert.deepEqual(await does.texts(phone, /before the phone/), []);
});

step("a third lets itself in by the recovery key", async () => {
  await tablet.open();
  await does.signIn(tablet);
  await tablet.page.getByLabel(tablet.t("enrol.keyLabel"), { exact: true }).fill("AAAAA".repeat(8));
  await tablet.page.getByRole("button", { name: tablet.t("enrol.keyDo") }).click();
  await tablet.page.getByText(tablet.t("enrol.keyWrong")).waitFor();
  await tablet.page.getByLabel(tablet.t("enrol.keyLabel"), { exact: true }).fill(key.toLowerCase().replaceAll("-", " "));
  await tablet.page.getByRole("button", { name: tablet.t("enrol.keyDo") }).click();
  await does.rooms(tablet).waitFor();
  await does.dismissStorage(tablet);
  await does.openRoom(tablet, tablet.t("rooms.self"));
  await does.write(tablet, canary);
  await does.reads(laptop, canary);
  await does.reads(phone, canary);
  // The others are told of it, and it is theirs to object.
  await laptop.page.getByText(laptop.t("notice.new_device")).first().waitFor();
  await tablet.shoot("21-third");
});

step("one that is removed hears nothing more", async () => {
  const dialog = await does.settings(laptop, "devices");
  await dialog
    .getByRole("listitem")
    .filter({ hasText: "phone" })
    .getByRole("button", { name: laptop.t("devices.remove") })
    .click();
  await laptop.page.getByRole("alertdialog").getByRole("button", { name: laptop.t("devices.remove") }).click();
  await phone.page.getByText(phone.t("ended.title")).waitFor();
  await phone.shoot("22-ended");
  await dialog.getByRole("button", { name: laptop.t("do.close") }).click();
  await does.write(laptop, "without the phone");
  await does.reads(tablet, "without the phone");
});

step("one that is wiped keeps nothing", async () => {
  const found = () =>
    tablet.page.evaluate(async (canary) => {
      const root = await navigator.storage.getDirectory();
      const files = await (await root.getDirectoryHandle(".veche")).getDirectoryHandle(".opaque");
      const latin1 = new TextDecoder("latin1");
      for await (const handle of files.values()) {
        if (latin1.decode(await (await handle.getFile()).arrayBuffer()).includes(canary)) return true;
      }
      return false;
    }, canary);
  assert.ok(await found(), "the canary is where it is looked for");
  const dialog = await does.settings(tablet, "signOut");
  await dialog.getByLabel(tablet.t("signOut.forget")).check();
  await dialog.getByRole("button", { name: tablet.t("signOut.do") }).last().click();
  await tablet.page.getByRole("heading", { name: tablet.t("signIn.title") }).waitFor();
  assert.ok(!(await found()), "the canary is still there");
  const devices = await does.settings(laptop, "devices");
  await devices.getByText(laptop.t("devices.none")).waitFor();
});

step("nothing went wrong on the way", () => {
  for (const device of [laptop, phone, tablet]) {
    assert.deepEqual(device.trouble, []);
    assert.deepEqual([...device.origins], [device.origin]);
  }
});
