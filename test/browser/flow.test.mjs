// Three people and one server, as it is meant to be used: two in browsers of
// their own, one on the command line. docs/spec/browser.md.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join as path } from "node:path";
import { after, before } from "node:test";
import { Person } from "./rig/person.mjs";
import { makePhoto } from "./rig/photo.mjs";
import { Site } from "./rig/site.mjs";
import * as does from "./rig/steps.mjs";
import { story } from "./rig/story.mjs";
import { until } from "./rig/until.mjs";

let site;
let ann;
let bob;
let cy; // a profile of the command line

const step = story("flow", () => ({ people: [ann, bob], site }));

before(async () => {
  site = await Site.make();
  await site.start();
  ann = new Person(site, { name: "Ann Archer", origin: site.local, language: "en" });
  bob = new Person(site, { name: "Борис", origin: site.secure, language: "ru", scheme: "dark" });
  cy = path(site.dir, "profiles", "cy");
  await ann.open();
  await bob.open();
});

after(async () => {
  await ann?.close();
  await bob?.close();
  await site?.remove();
});

step("the set-up link makes the site and its first person", async () => {
  const token = await site.setupToken();
  await ann.page.goto(`${ann.origin}/setup#${token}`);
  await ann.page.getByLabel(ann.t("setup.org"), { exact: true }).waitFor();
  await ann.shoot("01-setup");
  await does.setUp(ann, token, "Harbour Board");
  await ann.page.getByRole("heading", { name: ann.t("key.title") }).waitFor();
  await ann.shoot("02-key");
  await does.keepKey(ann);
  await ann.shoot("03-empty");
});

step("an invite lets a second person in", async () => {
  const [{ link }] = await site.run("invite", "--data", site.data, "--json");
  await bob.page.goto(`${bob.origin}/join#${link.split("#")[1]}`);
  await bob.page.getByLabel(bob.t("entry.name"), { exact: true }).waitFor();
  await bob.shoot("04-join");
  await does.join(bob, link.split("#")[1]);
  await does.keepKey(bob);
});

step("two people chat, both ways", async () => {
  await until("the list shows who came", () => does.rooms(ann).isVisible());
  await does.openDirect(ann, bob.name);
  await does.write(ann, "Good morning, Boris");
  await does.sent(ann, "Good morning, Boris");
  await does.openRoom(bob, ann.name);
  await does.reads(bob, "Good morning, Boris");
  await does.write(bob, "Доброе утро, *Анна*!");
  await does.reads(ann, "Доброе утро");
  await ann.shoot("05-direct");
  await bob.shoot("05-direct");
});

step("a photo each way is seen as a picture on the other side", async () => {
  const one = makePhoto(path(site.dir, "one.png"), 1200, 900, 3);
  await does.sendPhoto(ann, one, "the harbour today");
  assert.deepEqual(await does.seesPhoto(bob, "the harbour today"), { width: 1200, height: 900 });
  const two = makePhoto(path(site.dir, "two.png"), 3000, 4000, 5);
  await does.sendPhoto(bob, two, "наш двор");
  // Large photos are made smaller on the device.
  assert.deepEqual(await does.seesPhoto(ann, "наш двор"), { width: 1920, height: 2560 });
  await ann.shoot("06-photos");
  await bob.shoot("06-photos");
});

step("a third person joins from the command line", async () => {
  const [{ link }] = await site.run("invite", "--data", site.data, "--json");
  const password = path(site.dir, "password");
  writeFileSync(password, "cy has a long password\n", { mode: 0o600 });
  const local = `${site.local}/join#${link.split("#")[1]}`;
  const [login] = await site.run("login", local, "--name", "cy", "--password-file", password, "--profile", cy, "--json");
  assert.ok(login);
});

step("a group of three hears everything", async () => {
  await does.createGroup(ann, "Crew", [bob.name, "cy"]);
  await does.write(ann, "welcome aboard");
  await does.openRoom(bob, "Crew");
  await does.reads(bob, "welcome aboard");
  assert.equal(await bob.page.getByText(bob.t("chat.start")).count(), 0, "nothing is missing");
  await does.write(bob, "я здесь");
  await does.reads(ann, "я здесь");
  await site.run("send", "Crew", "reporting from a terminal", "--profile", cy);
  await does.reads(ann, "reporting from a terminal");
  await does.reads(bob, "reporting from a terminal");
  const read = await site.run("read", "Crew", "--profile", cy, "--json");
  assert.deepEqual(
    read.map((m) => m.text).filter(Boolean),
    ["welcome aboard", "я здесь", "reporting from a terminal"],
  );
  await ann.shoot("07-group");
  await bob.shoot("07-group");
});

step("who is removed cannot open what follows", async () => {
  await ann.page.getByRole("button", { name: ann.t("chat.details") }).click();
  await ann.shoot("08-details");
  await ann.page.getByRole("button", { name: ann.t("details.actions", { name: "cy" }) }).click();
  await ann.page.getByRole("menuitem", { name: ann.t("details.remove") }).click();
  await ann.page.getByRole("alertdialog").getByRole("button", { name: ann.t("details.remove") }).click();
  await does.row(bob, "cy").last().waitFor();
  await does.write(ann, "between the two of us");
  await does.sent(ann, "between the two of us");
  await does.reads(bob, "between the two of us");
  const read = await site.run("read", "Crew", "--profile", cy, "--json");
  assert.ok(!JSON.stringify(read).includes("between the two of us"));
  await assert.rejects(site.run("send", "Crew", "hello?", "--profile", cy));
  await ann.shoot("09-removed");
});

step("what both write while the server is away arrives once, in one order", async () => {
  ann.away = bob.away = true;
  await site.stop();
  for (let i = 1; i <= 5; i++) {
    await does.write(ann, `ann ${i} of five`);
    await does.write(bob, `bob ${i} of five`);
  }
  // Long enough that both have noticed and have tried to reconnect in vain.
  await new Promise((resolve) => setTimeout(resolve, 10_000));
  await ann.shoot("10-away");
  await bob.shoot("10-away");
  await site.start();
  for (const who of [ann, bob]) await does.sent(who, `${who === ann ? "ann" : "bob"} 5 of five`);
  await does.reads(ann, "bob 5 of five");
  await does.reads(bob, "ann 5 of five");
  const pattern = /(ann|bob) \d of five/;
  const [a, b] = await until("both show the same", async () => {
    const both = [await does.texts(ann, pattern), await does.texts(bob, pattern)];
    return JSON.stringify(both[0]) === JSON.stringify(both[1]) && both[0].length === 10 && both;
  });
  assert.equal(new Set(a.map(([, text]) => text)).size, 10);
  assert.deepEqual(a, b);
  for (const who of ["ann", "bob"]) {
    const own = a.map(([, text]) => text).filter((text) => text.startsWith(who));
    assert.deepEqual(own, [1, 2, 3, 4, 5].map((i) => `${who} ${i} of five`));
  }
  ann.away = bob.away = false;
  await ann.shoot("11-back");
});

step("a reload paints from the store while the server is away", async () => {
  await ann.page.evaluate(() => navigator.serviceWorker.ready.then(() => {}));
  ann.away = bob.away = true;
  await site.stop();
  await ann.page.reload();
  await does.reads(ann, "between the two of us");
  await does.write(ann, "written while away, after a reload");
  await ann.page.reload();
  await does.reads(ann, "written while away, after a reload");
  await ann.shoot("12-reloaded-away");
  await site.start();
  await does.sent(ann, "written while away, after a reload");
  await does.reads(bob, "written while away, after a reload");
  ann.away = bob.away = false;
});

step("another tab takes over when the one that owns the device is closed", async () => {
  const second = await ann.browser.newPage();
  await second.goto(ann.page.url());
  await does.reads(ann, "between the two of us", second);
  await does.write(ann, "from the second tab", second);
  await does.reads(ann, "from the second tab"); // the first shows it too
  await ann.page.close();
  ann.page = second;
  await does.write(ann, "from the tab that took over");
  await does.sent(ann, "from the tab that took over");
  await does.reads(bob, "from the tab that took over");
  await does.write(bob, "и слышно");
  await does.reads(ann, "и слышно");
  const seen = await does.texts(ann, /from the (second tab|tab that took over)/);
  assert.equal(seen.length, 2, "each is there once");
});

step("nothing went wrong on the way", () => {
  assert.deepEqual(ann.trouble, []);
  assert.deepEqual(bob.trouble, []);
  assert.deepEqual([...ann.origins], [ann.origin]);
  assert.deepEqual([...bob.origins], [bob.origin]);
});
