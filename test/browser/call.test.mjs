// Calls between people in browsers, over the real forwarder: they ring, are
// answered, are heard and seen, end, and live through a server that dies.
// docs/spec/calls.md
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
let cy;
const step = story("call", () => ({ people: [ann, bob, cy], site }));

before(async () => {
  site = await Site.make();
  await site.start();
  const person = (name, language, more) =>
    new Person(site, { name, origin: site.local, language, flags: calls.devices, ...more });
  ann = person("Ann", "en");
  bob = person("Борис", "ru", { scheme: "dark" });
  cy = person("Cy", "en");
  for (const p of [ann, bob, cy]) {
    await p.open();
    await calls.watchMedia(p.browser);
  }
});

after(async () => {
  for (const p of [ann, bob, cy]) await p?.close();
  await site?.remove();
});

step("three people come to a site", async () => {
  await does.setUp(ann, await site.setupToken(), "Harbour Board");
  await does.keepKey(ann);
  for (const p of [bob, cy]) {
    const [{ link }] = await site.run("invite", "--data", site.data, "--json");
    await does.join(p, link.split("#")[1]);
    await does.keepKey(p);
  }
  const password = path(site.dir, "password");
  writeFileSync(password, "a long password for Dan\n");
  const [{ link }] = await site.run("invite", "--data", site.data, "--json");
  await site.run("login", `${site.local}/join#${link.split("#")[1]}`, "--name", "Dan", "--password-file", password, "--profile", path(site.dir, "profiles", "dan"));
});

step("a direct call rings, is answered, and both hear one another", async () => {
  await does.openDirect(ann, bob.name);
  await does.write(ann, "may I call you?");
  await does.sent(ann, "may I call you?");
  await does.openRoom(bob, ann.name);
  await does.reads(bob, "may I call you?");
  await calls.dial(ann);
  await calls.ringing(bob, ann.name).waitFor();
  await bob.shoot("30-rings");
  await calls.answer(bob, ann.name);
  await calls.hears(ann);
  await calls.hears(bob);
  await ann.shoot("31-direct");
});

step("who is muted is not heard, but while the space bar is held", async () => {
  await calls.press(ann, "call.mute");
  await ann.page.getByText(ann.t("call.space")).waitFor();
  assert.ok(await until("Boris hears nothing of Ann", () => calls.hearsNothing(bob)));
  await ann.page.locator("body").click({ position: { x: 640, y: 300 } });
  await ann.page.keyboard.down("Space");
  await calls.hears(bob);
  await ann.page.keyboard.up("Space");
  await ann.page.getByText(ann.t("call.space")).waitFor();
  await ann.page.keyboard.press("m");
  await calls.hears(bob);
});

step("one goes on chatting beside the call", async () => {
  await ann.page.getByRole("button", { name: ann.t("call.chat"), exact: true }).click();
  await ann.page.getByRole("region", { name: ann.t("call.mini") }).waitFor();
  await does.write(ann, "written while we talk");
  await does.sent(ann, "written while we talk");
  await ann.shoot("32-mini");
  await ann.page.getByRole("button", { name: ann.t("call.full"), exact: true }).click();
  await calls.hears(ann);
});

step("hanging up ends it for both, and the chat keeps how long it was", async () => {
  await calls.press(ann, "call.hangUp");
  await calls.out(ann);
  await calls.out(bob);
  for (const p of [ann, bob]) {
    const row = calls.callRow(p, p === ann ? "call.rowOut" : "call.rowAudio").last();
    await row.waitFor();
    await until(`${p.name} sees how long it was`, async () => /\d:\d\d\s·/.test(await row.innerText()));
  }
  await does.reads(bob, "written while we talk");
});

step("a call that nobody answers is missed", async () => {
  await calls.dial(ann);
  await calls.ringing(bob, ann.name).waitFor();
  await calls.press(ann, "call.hangUp");
  await calls.ringing(bob, ann.name).waitFor({ state: "detached" });
  await calls.callRow(bob, "call.rowMissed").last().waitFor();
  await calls.callRow(ann, "call.rowCancelled").last().waitFor();
  await bob.shoot("33-missed");
});

step("a call that is declined says so", async () => {
  await calls.dial(ann);
  await calls.ringing(bob, ann.name).getByRole("button", { name: bob.t("call.decline"), exact: true }).click();
  const over = ann.page.getByRole("dialog", { name: ann.t("call.overDeclined", { name: bob.name }) });
  await over.waitFor();
  await over.getByRole("button", { name: ann.t("do.close"), exact: true }).last().click();
  await calls.callRow(ann, "call.rowDeclined").last().waitFor();
});

step("in a group, a call is a quiet banner; who joins is seen and heard", async () => {
  await does.createGroup(ann, "Crew", [bob.name, cy.name, "Dan"]);
  await does.write(ann, "all hands");
  for (const p of [bob, cy]) {
    await does.openRoom(p, "Crew");
    await does.reads(p, "all hands");
  }
  await calls.enter(ann, { video: true });
  await bob.page.getByText(bob.t("call.mark")).first().waitFor({ state: "attached" });
  await bob.shoot("34-banner");
  await calls.enter(bob, { video: true, there: true });
  await Promise.all([calls.sees(ann), calls.sees(bob), calls.hears(ann), calls.hears(bob)]);
});

step("who joins later hears and sees those who are in", async () => {
  await calls.enter(cy, { there: true });
  await Promise.all([calls.sees(cy), calls.hears(cy)]);
  await ann.page.getByRole("region", { name: ann.t("call.region", { name: "Crew" }) }).getByText(cy.name).first().waitFor();
});

step("a fourth, without a browser, hears and sees everybody", async () => {
  const [report] = await site.run("call", "Crew", "--seconds", "8", "--profile", path(site.dir, "profiles", "dan"), "--json");
  const got = new Set(report.heard.filter((h) => h.frames > 10).map((h) => `${h.name} ${h.source}`));
  for (const want of [`${ann.name} microphone`, `${ann.name} camera`, `${bob.name} microphone`, `${bob.name} camera`, `${cy.name} microphone`])
    assert.ok(got.has(want), `${want}: ${JSON.stringify(report.heard)}`);
  assert.equal(report.unopened, 0, "every frame opens");
});

step("a screen is shown large", async () => {
  await calls.press(ann, "call.screenOn");
  for (const p of [bob, cy]) {
    await p.page.getByText(p.t("call.tileScreen", { name: ann.name })).waitFor();
    const tile = p.page.locator("[data-screen] video");
    await until(`${p.name} sees the screen`, () => tile.evaluate((v) => v.videoWidth > 0 && v.currentTime > 0));
  }
  await cy.shoot("35-screen");
  await calls.press(ann, "call.screenStop");
  await bob.page.locator("[data-screen]").waitFor({ state: "detached" });
});

step("a hand, a reaction and a moderator's wish reach the others", async () => {
  await calls.press(cy, "call.hand");
  await ann.page.locator("[data-tile]").filter({ hasText: ann.t("call.stateHand") }).waitFor();
  await calls.press(cy, "call.react");
  await cy.page.getByRole("button", { name: "👏", exact: true }).click();
  await cy.page.keyboard.press("Escape");
  await bob.page.getByText("👏").first().waitFor();
  await calls.press(ann, "call.people");
  await ann.page.getByRole("button", { name: ann.t("call.actions", { name: cy.name }) }).click();
  await ann.page.getByRole("menuitem", { name: ann.t("call.doMute") }).click();
  await cy.page.getByText(cy.t("call.askedMute", { name: ann.name })).waitFor();
  await ann.page.locator("[data-tile]").filter({ hasText: cy.name }).filter({ hasText: ann.t("call.stateMuted") }).waitFor({ state: "attached" });
  const code = await does.code(ann.page, new RegExp(ann.t("call.code")));
  await calls.press(bob, "call.people");
  assert.equal(await does.code(bob.page, new RegExp(bob.t("call.code"))), code, "the code is the same for all");
  assert.match(code, /^(\d{4}-){3}\d{4}$/);
  await ann.shoot("36-people");
});

step("after the server was killed, media is back without a touch", async () => {
  const made = new Map();
  for (const p of [ann, bob, cy]) {
    p.away = true;
    made.set(p, (await calls.arrived(p)).made);
  }
  await site.kill();
  const killed = Date.now();
  await site.start();
  const up = Date.now();
  const back = await Promise.all(
    [ann, bob, cy].map(async (p) => {
      // What still comes from the former connection is only what fills gaps.
      const anew = async () => {
        const now = await calls.arrived(p);
        return now.made > made.get(p) && now.packets > 0;
      };
      await until(`${p.name} is connected anew`, anew, 60_000);
      await calls.hears(p, 60_000);
      return Date.now() - up;
    }),
  );
  console.log(`# killed, up again after ${up - killed} ms; heard again after ${back.join(", ")} ms more`);
  for (const p of [ann, bob, cy]) p.away = false;
});

step("who is removed from the group opens nothing more", async () => {
  await calls.hears(cy);
  await ann.page.getByRole("button", { name: ann.t("call.chat"), exact: true }).click();
  await does.openRoom(ann, "Crew");
  await ann.page.getByRole("button", { name: ann.t("chat.details") }).click();
  await ann.page.getByRole("button", { name: ann.t("details.actions", { name: cy.name }) }).click();
  await ann.page.getByRole("menuitem", { name: ann.t("details.remove") }).click();
  await ann.page.getByRole("alertdialog").getByRole("button", { name: ann.t("details.remove") }).click();
  await calls.out(cy);
  assert.equal((await calls.arrived(cy)).state, "none", "the connection is closed");
  await Promise.all([calls.hears(ann), calls.hears(bob)]);
});

step("nothing went wrong on the way", () => {
  for (const p of [ann, bob, cy]) assert.deepEqual(p.trouble, []);
});
