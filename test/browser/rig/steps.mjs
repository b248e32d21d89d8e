// What people do, by the names of the things that they click.
import { until } from "./until.mjs";

const exact = { exact: true };

/** setUp makes the site and its first person from the set-up link. */
export async function setUp(p, token, org) {
  await p.page.goto(`${p.origin}/setup#${token}`);
  await p.page.getByLabel(p.t("setup.org"), exact).fill(org);
  await makeAccount(p, "setup.do");
}

/** join makes an account from an invite link. */
export async function join(p, token) {
  await p.page.goto(`${p.origin}/join#${token}`);
  await makeAccount(p, "join.do");
}

async function makeAccount(p, action) {
  await p.page.getByLabel(p.t("entry.name"), exact).fill(p.name);
  await p.page.getByLabel(p.t("entry.newPassword"), exact).fill(p.password);
  await nameDevice(p);
  await p.page.getByRole("button", { name: p.t(action) }).click();
}

async function nameDevice(p) {
  await p.page.getByRole("button", { name: p.t("entry.changeDevice"), exact: true }).click();
  await p.page.getByLabel(p.t("entry.device"), exact).fill(p.device);
}

/** signIn signs a further device of an account in. */
export async function signIn(p) {
  await p.page.goto(p.origin);
  await p.page.getByLabel(p.t("entry.name"), exact).fill(p.name);
  await p.page.getByLabel(p.t("entry.password"), exact).fill(p.password);
  await nameDevice(p);
  await p.page.getByRole("button", { name: p.t("signIn.do") }).click();
}

/** code reads letters that are shown in groups, as a person does. */
export const code = (place, label) =>
  place
    .getByRole("img", { name: label })
    .locator("span")
    .allInnerTexts()
    .then((groups) => groups.join("-"));

/** keepKey reads the recovery key that is shown once, and goes on. */
export async function keepKey(p) {
  await p.page.getByRole("heading", { name: p.t("key.title") }).waitFor();
  const key = await code(p.page, p.t("key.label"));
  await p.page.getByLabel(p.t("key.kept")).check();
  await p.page.getByRole("button", { name: p.t("key.go") }).click();
  await rooms(p).waitFor();
  await dismissStorage(p);
  return key;
}

/** dismissStorage: a browser without a person in front of it promises nothing. */
export async function dismissStorage(p) {
  const notice = p.page.getByRole("status").filter({ hasText: p.t("notice.storage") });
  await notice.getByRole("button", { name: p.t("notice.dismiss") }).click();
  await notice.waitFor({ state: "detached" });
}

export const rooms = (p, page = p.page) => page.getByRole("navigation", { name: p.t("rooms.title") });
export const messages = (p, page = p.page) => page.getByRole("main").locator("li[data-key]");
export const row = (p, text, page = p.page) => messages(p, page).filter({ hasText: text });
export const composer = (p, page = p.page) => page.getByLabel(p.t("write.label"));

/** openDirect opens the chat with a person from "new chat". */
export async function openDirect(p, name) {
  await rooms(p).getByRole("button", { name: p.t("rooms.new") }).first().click();
  await p.page.getByRole("dialog").getByRole("button", { name }).click();
  await composer(p).waitFor();
}

/** notes opens the chat with oneself. */
export async function notes(p, page = p.page) {
  await rooms(p, page).getByRole("button", { name: p.t("rooms.new") }).first().click();
  await page.getByRole("dialog").getByRole("button", { name: p.t("new.you") }).click();
  await composer(p, page).waitFor();
}

/** settings opens a part of the settings. */
export async function settings(p, part) {
  await rooms(p).getByRole("button", { name: p.t("rooms.menu") }).click();
  const item = p.page.getByRole("menuitem", { name: p.t("settings.title") });
  if (await item.count()) await item.click();
  const dialog = p.page.getByRole("dialog", { name: p.t("settings.title") });
  // A count may follow the name.
  await dialog.getByRole("navigation").getByRole("button", { name: new RegExp(`^${p.t(`settings.${part}`)}`) }).click();
  return dialog;
}

/** openRoom opens a chat that stands in the list. */
export async function openRoom(p, title, page = p.page) {
  await page.getByRole("navigation", { name: p.t("rooms.title") }).getByRole("link").filter({ hasText: title }).first().click();
  await composer(p, page).waitFor();
}

/** createGroup makes a group of people and opens it. */
export async function createGroup(p, name, members) {
  await rooms(p).getByRole("button", { name: p.t("rooms.new") }).first().click();
  const dialog = p.page.getByRole("dialog");
  await dialog.getByRole("button", { name: p.t("new.group") }).click();
  for (const m of members) await dialog.getByRole("checkbox", { name: m }).click();
  await dialog.getByRole("button", { name: p.t("new.next"), exact: true }).click();
  await dialog.getByLabel(p.t("new.groupName"), exact).fill(name);
  await dialog.getByRole("button", { name: p.t("new.create") }).click();
  await composer(p).waitFor();
}

/** write sends a text with Enter; it is in the list at once, with its markup shown as such. */
export async function write(p, text, page = p.page) {
  await composer(p, page).fill(text);
  await composer(p, page).press("Enter");
  await row(p, text.replaceAll("*", ""), page).first().waitFor();
}

/** sent waits until the server has acknowledged a message. */
export function sent(p, text, page = p.page) {
  return until(`${p.name}: "${text}" is on the server`, async () => {
    const seq = await row(p, text, page).first().getAttribute("data-seq");
    return Number(seq) > 0;
  });
}

/** reads waits until a text is in the open chat. */
export async function reads(p, text, page = p.page) {
  await row(p, text, page).first().waitFor();
}

/** sendPhoto picks a picture and sends it with a text. */
export async function sendPhoto(p, file, text) {
  await p.page.locator('input[type=file][accept^="image"]').setInputFiles(file);
  await p.page.getByRole("region", { name: /./ }).locator("img").first().waitFor();
  await write(p, text);
}

/** seesPhoto waits until the picture of a message is whole, and gives its natural size. */
export async function seesPhoto(p, text) {
  const img = row(p, text).first().locator("img:not([alt=''])");
  return until(`${p.name} sees the picture of "${text}"`, () =>
    img.last().evaluate((i) => i.complete && i.naturalWidth > 0 && { width: i.naturalWidth, height: i.naturalHeight }),
  );
}

/** texts is what the open chat shows, in order, of the messages that match. */
export function texts(p, pattern, page = p.page) {
  return messages(p, page).evaluateAll((rows) => rows.map((r) => [Number(r.dataset.seq), r.innerText])).then((all) => all.map(([seq, text]) => [seq, text.match(pattern)?.[0]]).filter(([, text]) => text));
}
