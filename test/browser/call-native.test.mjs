// A participant without a browser beside one with: each opens what the other
// sealed, sound and picture. docs/spec/calls.md
import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { join as path } from "node:path";
import { after, before } from "node:test";
import * as calls from "./rig/calls.mjs";
import { Person } from "./rig/person.mjs";
import { Site } from "./rig/site.mjs";
import * as does from "./rig/steps.mjs";
import { story } from "./rig/story.mjs";

let site;
let ann;
const step = story("call-native", () => ({ people: [ann], site }));
const profile = () => path(site.dir, "profiles", "dan");
const recorded = () => path(site.dir, "recorded");

before(async () => {
  site = await Site.make();
  await site.start();
  ann = new Person(site, { name: "Ann", origin: site.local, language: "en", flags: calls.devices });
  await ann.open();
  await calls.watchMedia(ann.browser);
});

after(async () => {
  await ann?.close();
  await site?.remove();
});

step("Ann comes by the browser, Dan by the command line", async () => {
  await does.setUp(ann, await site.setupToken(), "Harbour Board");
  await does.keepKey(ann);
  const password = path(site.dir, "password");
  writeFileSync(password, "a long password for Dan\n");
  const [{ link }] = await site.run("invite", "--data", site.data, "--json");
  await site.run("login", `${site.local}/join#${link.split("#")[1]}`, "--name", "Dan", "--password-file", password, "--profile", profile());
  await does.createGroup(ann, "Crew", ["Dan"]);
  await does.write(ann, "all hands");
  await does.sent(ann, "all hands");
});

step("Dan hears and sees what Ann's browser sealed", async () => {
  await calls.enter(ann, { video: true });
  const [report] = await site.run("call", "Crew", "--record", recorded(), "--seconds", "8", "--profile", profile(), "--json");
  console.log(`# connected after ${report.connected} ms, first frame after ${report.first_frame} ms`);
  assert.equal(report.unopened, 0, "every frame opens");
  const of = (source) => report.heard.find((h) => h.name === "Ann" && h.source === source);
  assert.ok(of("microphone")?.frames > 50, `sound: ${JSON.stringify(report.heard)}`);
  assert.ok(of("camera")?.frames > 10 && of("camera").keys > 0, `picture: ${JSON.stringify(report.heard)}`);
  assert.deepEqual(readdirSync(recorded()).map((name) => name.split(".").pop()).sort(), ["ivf", "ogg"]);
});

step("Ann hears what Dan plays: her own voice, as he recorded it", async () => {
  const file = readdirSync(recorded()).find((name) => name.endsWith(".ogg"));
  const playing = site.run("call", "Crew", "--play", path(recorded(), file), "--repeat", "--seconds", "20", "--profile", profile(), "--json");
  await ann.page.getByRole("region", { name: ann.t("call.region", { name: "Crew" }) }).getByText("Dan").first().waitFor();
  await calls.hears(ann);
  await ann.shoot("60-native");
  const [report] = await playing;
  assert.ok(report.sent.packets > 100, `sent: ${JSON.stringify(report.sent)}`);
});

step("who is taken out of the group is out of the call", async () => {
  const listening = site.run("call", "Crew", "--seconds", "60", "--profile", profile(), "--json");
  await ann.page.getByRole("region", { name: ann.t("call.region", { name: "Crew" }) }).getByText("Dan").first().waitFor();
  await ann.page.getByRole("button", { name: ann.t("call.chat"), exact: true }).click();
  await ann.page.getByRole("button", { name: ann.t("chat.details") }).click();
  await ann.page.getByRole("button", { name: ann.t("details.actions", { name: "Dan" }) }).click();
  await ann.page.getByRole("menuitem", { name: ann.t("details.remove") }).click();
  await ann.page.getByRole("alertdialog").getByRole("button", { name: ann.t("details.remove") }).click();
  const [report] = await listening;
  assert.notEqual(report.why, "time");
  assert.deepEqual(ann.trouble, []);
});
