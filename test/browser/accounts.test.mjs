// A forgotten password and an account that is shut: an administrator and somebody
// with two browsers. docs/spec/sign-in.md, docs/admin/people.md.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { Person } from "./rig/person.mjs";
import { Site } from "./rig/site.mjs";
import * as does from "./rig/steps.mjs";
import { story } from "./rig/story.mjs";
import { until } from "./rig/until.mjs";

let site;
let ann; // administers
let laptop; // Boris's
let phone; // his, too
let key;
let link;
const step = story("accounts", () => ({ people: [ann, laptop, phone], site }));

before(async () => {
  site = await Site.make();
  await site.start();
  const boris = { name: "Борис", language: "ru" };
  ann = new Person(site, { name: "Ann Archer", origin: site.local, language: "en" });
  laptop = new Person(site, { ...boris, device: "laptop", origin: site.local, scheme: "dark" });
  phone = new Person(site, { ...boris, device: "phone", origin: site.secure, width: 390 });
  await Promise.all([ann, laptop, phone].map((p) => p.open()));
});

after(async () => {
  await Promise.all([ann, laptop, phone].map((p) => p?.close()));
  await site?.remove();
});

const dialog = (p) => p.page.getByRole("dialog", { name: p.t("settings.title") });
const button = (place, name) => place.getByRole("button", { name, exact: true });

// act does something to Boris's account, from its page in Ann's settings.
async function act(name, title) {
  await button(dialog(ann), ann.t(name)).click();
  const ask = ann.page.getByRole("alertdialog", { name: ann.t(title, { name: laptop.name }) });
  await button(ask, ann.t(name)).click();
  await ask.waitFor({ state: "detached" });
}

step("an administrator and somebody who writes with her", async () => {
  await does.setUp(ann, await site.setupToken(), "Harbour Board");
  await does.keepKey(ann);
  const [invite] = await site.run("invite", "--data", site.data, "--json");
  await does.join(laptop, invite.link.split("#")[1]);
  key = await does.keepKey(laptop);
  await until("the list shows who came", () => does.rooms(ann).isVisible());
  await does.createGroup(ann, "Crew", [laptop.name]);
  await does.write(ann, "welcome aboard");
  await does.openRoom(laptop, "Crew");
  await does.reads(laptop, "welcome aboard");
});

step("she makes a link to a new password, and his device says so", async () => {
  await does.settings(ann, "people");
  await dialog(ann).getByRole("button", { name: laptop.name }).click();
  await act("people.resetDo", "people.resetTitle");
  link = await dialog(ann).getByRole("status", { name: ann.t("people.resetLink") }).innerText();
  assert.match(link, /\/reset#[a-z2-7]+$/i);
  await laptop.page.getByText(laptop.t("notice.reset_link"), { exact: true }).waitFor();
});

step("he opens it elsewhere, and what others would try first is refused", async () => {
  await phone.page.goto(`${phone.origin}/reset#${link.split("#")[1]}`);
  await phone.page.getByRole("heading", { name: phone.t("reset.title", { name: phone.name }) }).waitFor();
  const field = phone.page.getByLabel(phone.t("entry.newPassword"), { exact: true });
  const set = button(phone.page, phone.t("reset.do"));
  await field.fill("qwerty123");
  await set.click();
  await phone.page.getByText(phone.t("fail.guessable")).waitFor();
  phone.password = laptop.password = "granite otter lamp";
  await field.fill(phone.password);
  await set.click();
});

step("the new password opens nothing: his recovery key lets the device in", async () => {
  await phone.page.getByRole("heading", { name: phone.t("enrol.title") }).waitFor();
  assert.equal(new URL(phone.page.url()).pathname, "/", "the secret has left the address");
  await phone.page.getByLabel(phone.t("enrol.keyLabel"), { exact: true }).fill(key);
  await button(phone.page, phone.t("enrol.keyDo")).click();
  await does.rooms(phone).waitFor();
  await does.dismissStorage(phone);
  await does.openRoom(phone, "Crew");
  await does.write(phone, "снова здесь");
  await does.reads(laptop, "снова здесь");
  await laptop.page.getByText(laptop.t("notice.password_reset"), { exact: true }).waitFor();
});

step("the link is used up, and says so", async () => {
  const late = await laptop.browser.newPage();
  await late.goto(`${laptop.origin}/reset#${link.split("#")[1]}`);
  await late.getByText(laptop.t("reset.deadLead")).waitFor();
  await button(late, laptop.t("reset.leave")).click();
  await does.rooms(laptop, late).waitFor();
  await late.close();
});

step("his account is shut: he is out everywhere, and not let in", async (t) => {
  await act("people.close", "people.closeTitle");
  const began = Date.now();
  for (const p of [laptop, phone]) await p.page.getByRole("heading", { name: p.t("ended.title") }).waitFor();
  t.diagnostic(`out everywhere after ${Date.now() - began} ms`);
  await phone.page.getByLabel(phone.t("entry.password"), { exact: true }).fill(phone.password);
  await button(phone.page, phone.t("ended.again")).click();
  await phone.page.getByText(phone.t("password.wrong")).waitFor();
});

step("everybody sees it, and an owner is offered to remove him", async () => {
  await dialog(ann).getByText(ann.t("people.openLead", { name: laptop.name })).waitFor();
  await button(dialog(ann), ann.t("do.close")).click();
  await button(ann.page, ann.t("chat.details")).click();
  const row = ann.page.getByRole("listitem").filter({ hasText: ann.t("people.shut") });
  await row.filter({ hasText: laptop.name }).waitFor();
  await button(row, ann.t("details.remove")).waitFor();
});

step("opened again he goes on with the password, where he was", async () => {
  await does.settings(ann, "people");
  await dialog(ann).getByRole("button", { name: laptop.name }).click();
  await act("people.open", "people.openTitle");
  await button(phone.page, phone.t("ended.again")).click();
  await does.reads(phone, "снова здесь");
  await button(dialog(ann), ann.t("do.close")).click();
  await does.write(ann, "good to have you back");
  await does.reads(phone, "good to have you back");
});

step("nothing went wrong on the way", () => {
  for (const p of [ann, laptop, phone]) {
    assert.deepEqual(p.trouble, []);
    assert.deepEqual([...p.origins], [p.origin]);
  }
});
