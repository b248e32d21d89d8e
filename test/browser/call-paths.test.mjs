// The ways by which a call's media reach the server, each tried by itself, and
// a call where all but one are shut. docs/spec/calls.md#paths
import assert from "node:assert/strict";
import { after, before } from "node:test";
import * as calls from "./rig/calls.mjs";
import { Person } from "./rig/person.mjs";
import { Site } from "./rig/site.mjs";
import * as does from "./rig/steps.mjs";
import { story } from "./rig/story.mjs";

let site;
let ann;
let bob;
const step = story("call-paths", () => ({ people: [ann, bob], site }));

before(async () => {
  site = await Site.make();
  await site.start();
  ann = new Person(site, { name: "Ann", origin: site.secure, language: "en", flags: calls.devices });
  // Bob's network lets no UDP through: the browser is told to send none but by a proxy, and there is none.
  const shut = [...calls.devices, "--webrtc-ip-handling-policy=disable_non_proxied_udp", "--force-webrtc-ip-handling-policy"];
  bob = new Person(site, { name: "Bob", origin: site.secure, language: "en", flags: shut });
  for (const p of [ann, bob]) {
    await p.open();
    await calls.watchMedia(p.browser);
  }
});

after(async () => {
  for (const p of [ann, bob]) await p?.close();
  await site?.remove();
});

// tested runs the test of a call and gives what it says of each thing.
async function tested(p) {
  const dialog = await openCheck(p);
  await dialog.getByRole("button", { name: p.t("check.do"), exact: true }).click();
  await dialog.getByRole("button", { name: p.t("check.redo"), exact: true }).waitFor({ timeout: 90_000 });
  const of = async (key) => {
    const row = dialog.getByRole("listitem").filter({ hasText: p.t(key) });
    return row.getAttribute("data-at");
  };
  const got = {};
  for (const key of ["call.microphone", "call.camera", "check.udp", "check.tcp", "check.tls"]) got[key.split(".")[1]] = await of(key);
  await p.shoot("40-check");
  await dialog.getByRole("button", { name: p.t("do.close"), exact: true }).click();
  return got;
}

async function openCheck(p) {
  await does.rooms(p).getByRole("button", { name: p.t("rooms.menu") }).click();
  const dialog = p.page.getByRole("dialog", { name: p.t("settings.title") });
  await dialog.getByRole("button", { name: p.t("check.settings"), exact: true }).click();
  return dialog;
}

step("two people come to a site", async () => {
  await does.setUp(ann, await site.setupToken(), "Harbour Board");
  await does.keepKey(ann);
  const [{ link }] = await site.run("invite", "--data", site.data, "--json");
  await does.join(bob, link.split("#")[1]);
  await does.keepKey(bob);
});

step("where nothing is shut, each path works", async () => {
  assert.deepEqual(await tested(ann), { microphone: "works", camera: "works", udp: "works", tcp: "works", tls: "works" });
});

step("where UDP is shut, the test says so and a call goes another way", async () => {
  const got = await tested(bob);
  console.log("# without UDP:", got);
  assert.equal(got.udp, "fails");
  assert.ok(got.tcp === "works" || got.tls === "works");
  await does.openDirect(ann, bob.name);
  await does.write(ann, "can you hear me?");
  await does.openRoom(bob, ann.name);
  await calls.dial(ann);
  await calls.answer(bob, ann.name);
  await Promise.all([calls.hears(ann), calls.hears(bob)]);
  const { path } = await calls.arrived(bob);
  console.log("# by", path);
  assert.notEqual(path, "udp");
  assert.equal((await calls.arrived(ann)).path, "udp");
  await calls.press(ann, "call.hangUp");
});
