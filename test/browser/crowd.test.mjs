// A browser in a group of more devices than are checked one by one: their
// signatures are verified together, by WebCrypto. docs/spec/mls-costs.md
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join as path } from "node:path";
import { after, before } from "node:test";
import { Person } from "./rig/person.mjs";
import { Site } from "./rig/site.mjs";
import * as does from "./rig/steps.mjs";
import { story } from "./rig/story.mjs";

const others = Array.from({ length: 20 }, (_, i) => `deputy${i + 1}`);

let site;
let ann;
const step = story("crowd", () => ({ people: [ann], site }));
const profile = (name) => path(site.dir, "profiles", name);
const texts = async (name) => (await site.run("read", "Assembly", "--profile", profile(name), "--json")).map((m) => m.text);

before(async () => {
  site = await Site.make();
  await site.start();
  ann = new Person(site, { name: "Ann", origin: site.local, language: "en" });
  await ann.open();
});

after(async () => {
  await ann?.close();
  await site?.remove();
});

step("twenty people come by the command line", async () => {
  await does.setUp(ann, await site.setupToken(), "Veche");
  await does.keepKey(ann);
  const password = path(site.dir, "password");
  writeFileSync(password, "a long password for everybody\n");
  for (const name of others) {
    const [{ link }] = await site.run("invite", "--data", site.data, "--json");
    await site.run("login", `${site.local}/join#${link.split("#")[1]}`, "--name", name, "--password-file", password, "--profile", profile(name));
  }
});

step("one of them makes a group, in which the browser joins all", async () => {
  await countVerified(ann);
  await site.run("room", "create", "Assembly", ...others.slice(1), ann.name, "--profile", profile(others[0]));
  await site.run("send", "Assembly", "the assembly is open", "--profile", profile(others[0]));
  await does.openRoom(ann, "Assembly");
  await does.reads(ann, "the assembly is open");
  assert.ok((await verified(ann)) >= others.length, "the browser was asked about all of them");
});

step("it reads them, and they read it", async () => {
  await does.write(ann, "Ann is here");
  await does.sent(ann, "Ann is here");
  for (const name of [others[0], others[19]]) {
    assert.ok((await texts(name)).includes("Ann is here"), name);
    await site.run("send", "Assembly", `${name} hears you`, "--profile", profile(name));
    await does.reads(ann, `${name} hears you`);
  }
});

step("it follows when one is taken out, and after a reload", async () => {
  await site.run("room", "remove", "Assembly", others[5], "--profile", profile(others[0]));
  await site.run("send", "Assembly", "one fewer", "--profile", profile(others[1]));
  await does.reads(ann, "one fewer");
  await ann.page.reload();
  await does.openRoom(ann, "Assembly");
  await does.write(ann, "still here");
  await does.sent(ann, "still here");
  assert.ok((await texts(others[2])).includes("still here"));
  assert.deepEqual(ann.trouble, []);
});

// countVerified has the worker of the core count what WebCrypto verifies.
async function countVerified(p) {
  for (const w of p.page.workers()) {
    await w.evaluate(() => {
      const verify = SubtleCrypto.prototype.verify;
      globalThis.verified = 0;
      SubtleCrypto.prototype.verify = function (...args) {
        globalThis.verified++;
        return verify.apply(this, args);
      };
    });
  }
}

async function verified(p) {
  const counts = await Promise.all(p.page.workers().map((w) => w.evaluate(() => globalThis.verified ?? 0)));
  return Math.max(0, ...counts);
}
