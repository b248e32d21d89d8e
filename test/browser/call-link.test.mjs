// A link brings somebody with an account to the door of a call, and an owner
// lets them in, or not; a call moves to another tab. docs/spec/calls.md#guests
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join as path } from "node:path";
import { after, before } from "node:test";
import * as calls from "./rig/calls.mjs";
import { Person } from "./rig/person.mjs";
import { Site } from "./rig/site.mjs";
import * as does from "./rig/steps.mjs";
import { story } from "./rig/story.mjs";
import { until } from "./rig/until.mjs";

let site;
let ann;
let bob;
let link;
const step = story("call-link", () => ({ people: [ann, bob], site }));

before(async () => {
  site = await Site.make();
  await site.start();
  const person = (name, more) => new Person(site, { name, origin: site.local, language: "en", flags: calls.devices, ...more });
  ann = person("Ann");
  bob = person("Bob", { scheme: "dark" });
  for (const p of [ann, bob]) {
    await p.open();
    await calls.watchMedia(p.browser);
  }
});

after(async () => {
  for (const p of [ann, bob]) await p?.close();
  await site?.remove();
});

// member signs somebody up who is in the group and never in the call.
async function member(name) {
  const [{ link }] = await site.run("invite", "--data", site.data, "--json");
  const password = path(site.dir, "password");
  writeFileSync(password, `${name} has a long password\n`, { mode: 0o600 });
  const profile = path(site.dir, "profiles", name);
  await site.run("login", `${site.local}/join#${link.split("#")[1]}`, "--name", name, "--password-file", password, "--profile", profile);
}

step("somebody starts a call and makes a link to it", async () => {
  await does.setUp(ann, await site.setupToken(), "Harbour Board");
  await does.keepKey(ann);
  const [invite] = await site.run("invite", "--data", site.data, "--json");
  await does.join(bob, invite.link.split("#")[1]);
  await does.keepKey(bob);
  await member("cy");
  await until("the list shows who came", () => does.rooms(ann).isVisible());
  await does.createGroup(ann, "Pilots", ["cy"]);
  await calls.enter(ann);
  await calls.press(ann, "call.people");
  await ann.page.getByRole("button", { name: ann.t("call.invite"), exact: true }).click();
  const dialog = ann.page.getByRole("dialog", { name: ann.t("call.invite") });
  const shown = await dialog.getByRole("status", { name: ann.t("call.link") }).innerText();
  assert.match(shown, /^https:\/\/[^/]+\/call\/[a-z2-7]+#\S+$/i);
  const { origin } = new URL(shown);
  assert.equal(origin, new URL(invite.link).origin, "others hear of the site's address, not of localhost");
  link = site.local + shown.slice(origin.length); // Bob sits at the same machine
  await dialog.getByRole("button", { name: ann.t("do.close"), exact: true }).click();
});

async function knock() {
  await bob.page.goto("about:blank");
  await bob.page.goto(link);
  await bob.page.getByRole("button", { name: bob.t("call.knockDo"), exact: true }).click();
  await ann.page.getByRole("region", { name: ann.t("call.knock", { name: "Bob" }) }).waitFor();
  assert.equal(new URL(bob.page.url()).hash.includes(link.split("#")[1]), false, "the secret left the address bar");
}

step("who is not let in hears that", async () => {
  await knock();
  await ann.shoot("50-knock");
  await ann.page.getByRole("button", { name: ann.t("call.refuse"), exact: true }).click();
  await bob.page.getByText(bob.t("call.knockRefused")).waitFor();
  await bob.page.getByRole("dialog").getByRole("button", { name: bob.t("do.close"), exact: true }).click();
});

step("who is let in becomes a member, and joins", async () => {
  await knock();
  await ann.page.getByRole("button", { name: ann.t("call.admit"), exact: true }).click();
  const lobby = bob.page.getByRole("dialog", { name: "Pilots" });
  await lobby.getByRole("button", { name: bob.t("call.joinNow"), exact: true }).click();
  await calls.bar(bob).waitFor();
  await Promise.all([calls.hears(ann), calls.hears(bob)]);
});

step("another tab that joins takes the call over", async () => {
  const second = await bob.browser.newPage();
  await second.goto(bob.origin);
  await does.openRoom(bob, "Pilots", second);
  await second.getByText(bob.t("call.here")).waitFor();
  await second.getByRole("status").getByRole("button", { name: bob.t("call.join"), exact: true }).click();
  // The first tab has been in for longer than a moment, so that it knows whose coming this is.
  await new Promise((resolve) => setTimeout(resolve, 3500));
  await second.getByRole("dialog").getByRole("button", { name: bob.t("call.joinNow"), exact: true }).click();
  await bob.page.getByRole("dialog", { name: bob.t("call.overElsewhere") }).waitFor();
  const first = bob.page;
  bob.page = second;
  await Promise.all([calls.hears(ann), calls.hears(bob)]);
  await first.close();
  // The first tab ran the core: another begins in the second, and the call goes on.
  await calls.hears(bob);
  await calls.hears(ann);
});

step("when the last one leaves, the call is over", async () => {
  await calls.press(bob, "call.leave");
  await calls.out(bob);
  await calls.press(ann, "call.leave");
  await calls.out(ann);
  await ann.page.getByText(ann.t("call.mark")).waitFor({ state: "detached" });
});

step("nothing went wrong on the way", () => {
  for (const p of [ann, bob]) assert.deepEqual(p.trouble, []);
});
