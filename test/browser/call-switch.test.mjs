// A call whose network changes under it: the way by UDP is cut, then that by
// TCP, and each time it goes on by itself another way. docs/spec/calls.md#paths
import assert from "node:assert/strict";
import { after, before } from "node:test";
import * as calls from "./rig/calls.mjs";
import { Gate } from "./rig/gate.mjs";
import { Person } from "./rig/person.mjs";
import { Site } from "./rig/site.mjs";
import * as does from "./rig/steps.mjs";
import { story } from "./rig/story.mjs";
import { until } from "./rig/until.mjs";

const router = "127.0.0.7";

let site;
let gate;
let ann;
let bob;
const step = story("call-switch", () => ({ people: [ann, bob], site }));

before(async () => {
  site = await Site.make();
  site.args.push("--public", router, "--host", router);
  await site.start();
  gate = new Gate(router, Number(new URL(site.secure).port));
  await gate.open();
  const person = (name) => new Person(site, { name, origin: site.secure, language: "en", flags: calls.devices });
  ann = person("Ann");
  bob = person("Bob");
  for (const p of [ann, bob]) {
    await p.open();
    await calls.watchMedia(p.browser);
  }
});

after(async () => {
  for (const p of [ann, bob]) await p?.close();
  gate?.remove();
  await site?.remove();
});

// by waits until both hear one another by one of the ways, without anybody touching
// anything, and says by which.
async function by(...ways) {
  const cut = Date.now();
  const taken = await Promise.all(
    [ann, bob].map(async (p) => {
      const way = await until(`${p.name} is connected by ${ways.join(" or ")}`, async () => {
        const now = await calls.arrived(p);
        return now.state === "connected" && ways.includes(now.path) && now.packets > 0 && now.path;
      }, 60_000);
      await calls.hears(p, 60_000);
      return way;
    }),
  );
  return `by ${taken.join(" and ")} after ${Date.now() - cut} ms`;
}

step("two people talk by UDP", async () => {
  await does.setUp(ann, await site.setupToken(), "Harbour Board");
  await does.keepKey(ann);
  const [{ link }] = await site.run("invite", "--data", site.data, "--json");
  await does.join(bob, link.split("#")[1]);
  await does.keepKey(bob);
  await does.openDirect(ann, bob.name);
  await does.write(ann, "may I call you?");
  await does.openRoom(bob, ann.name);
  await does.reads(bob, "may I call you?");
  await calls.dial(ann);
  await calls.answer(bob, ann.name);
  await by("udp");
});

// A browser tries both of what is left, and takes what answers first: on a busy
// machine that may be TLS.
step("UDP is cut: it goes on by TCP", async () => {
  gate.close("udp");
  console.log(`# heard again ${await by("tcp", "tls")}`);
});

step("that is cut too: it goes on inside TLS", async () => {
  gate.close("tcp");
  console.log(`# heard again ${await by("tls")}`);
});

step("nothing went wrong on the way", () => {
  for (const p of [ann, bob]) assert.deepEqual(p.trouble, []);
});
