import { expect, test } from "vitest";
import type { CommandName } from "../../src/core/core.ts";
import type { CoreID, TabID, ToCore } from "../../src/core/tabs/protocol.ts";
import type { Line } from "../../src/core/tabs/tab.ts";
import { Shelf } from "../../src/core/worker/blobs.ts";
import { Desk } from "../../src/core/worker/desk.ts";

const core = "core" as CoreID;

class Wire implements Line {
  readonly sent: unknown[] = [];
  onmessage: ((e: MessageEvent) => void) | null = null;
  postMessage(m: unknown): void {
    this.sent.push(m);
  }
}

function rig() {
  const calls = new Wire();
  const news = new Wire();
  const lines = new Map<string, Wire>();
  const shelf = new Shelf();
  const line = (name: string) => {
    const w = new Wire();
    lines.set(name, w);
    return w;
  };
  const heard: unknown[] = [];
  const told = { awake: () => heard.push("awake"), kept: (kept: boolean) => heard.push(kept) };
  const desk = new Desk({ core, calls, news, line, shelf, told });
  const asked: { n: number; name: string; params: Record<string, unknown> }[] = [];
  desk.open((n, name, params) => asked.push({ n, name, params: JSON.parse(params) }));
  const hear = (m: ToCore) => calls.onmessage?.({ data: m } as MessageEvent);
  const call = (tab: string, n: number, name: CommandName, params: unknown, blobs: Blob[] = []) =>
    hear({ kind: "call", core, tab: tab as TabID, n, name, params: JSON.stringify(params), blobs });
  return { desk, heard, asked, hear, call, news, lines, shelf };
}

test("it says that it is here, and again to whoever asks", () => {
  const r = rig();
  r.hear({ kind: "who" });
  expect(r.news.sent).toEqual([
    { kind: "here", core },
    { kind: "here", core },
  ]);
});

test("answers go to the tab that asked, whatever their order", () => {
  const r = rig();
  r.call("a", 7, "status", {});
  r.call("b", 7, "people", {});
  expect(r.asked.map((c) => c.name)).toEqual(["status", "people"]);
  r.desk.answer(2, true, "{}");
  r.desk.answer(1, false, '{"code":"busy"}');
  r.desk.answer(1, true, "{}"); // a second answer is none
  expect(r.lines.get("veche-tab-a")?.sent).toEqual([{ n: 7, ok: false, json: '{"code":"busy"}' }]);
  expect(r.lines.get("veche-tab-b")?.sent).toEqual([{ n: 7, ok: true, json: "{}" }]);
});

test("a call that means another core is not its", () => {
  const r = rig();
  r.hear({ kind: "call", core: "old" as CoreID, tab: "a" as TabID, n: 1, name: "send", params: "{}", blobs: [] });
  expect(r.asked).toEqual([]);
});

test("files to send lie on the shelf under the numbers that Go is told", async () => {
  const r = rig();
  const files = [
    { source: "", name: "a" },
    { source: "", name: "b" },
  ];
  r.call("a", 1, "send", { text: "x", files }, [new Blob(["first"]), new Blob(["second"])]);
  const sent = r.asked[0]?.params as { text: string; files: { source: string; name: string }[] };
  expect(sent.text).toBe("x");
  expect(sent.files.map((f) => f.name)).toEqual(["a", "b"]);
  const second = Number(sent.files[1]?.source);
  expect(r.shelf.size(second)).toBe(6);
  expect(new TextDecoder().decode(await r.shelf.read(second, 1, 4))).toBe("eco");
  r.shelf.release(second);
  expect(r.shelf.size(second)).toBe(-1);
  await expect(r.shelf.read(second, 0, 1)).rejects.toThrow();
});

test("a file that was opened comes back as a blob that no browser runs", async () => {
  const r = rig();
  r.call("a", 1, "openFile", { room: "r", id: "i", index: 0 });
  const sink = Number(r.asked[0]?.params.sink);
  expect(r.shelf.append(sink, new TextEncoder().encode("<b>one"))).toBe(true);
  expect(r.shelf.append(sink, new TextEncoder().encode(" two</b>"))).toBe(true);
  r.desk.answer(1, true, '{"name":"x.html","type":"text/html"}');
  const answer = r.lines.get("veche-tab-a")?.sent[0] as { blob: Blob } | undefined;
  expect(answer?.blob.type).toBe("application/octet-stream");
  expect(await answer?.blob.text()).toBe("<b>one two</b>");
  expect(r.shelf.append(sink, new Uint8Array(1))).toBe(false);
});

test("what was opened in vain is given to nobody", () => {
  const r = rig();
  r.call("a", 1, "openFile", { room: "r", id: "i", index: 0 });
  const sink = Number(r.asked[0]?.params.sink);
  r.shelf.append(sink, new Uint8Array(9));
  r.desk.answer(1, false, '{"code":"unopenable"}');
  expect(r.lines.get("veche-tab-a")?.sent).toEqual([{ n: 1, ok: false, json: '{"code":"unopenable"}' }]);
  expect(r.shelf.append(sink, new Uint8Array(1))).toBe(false);
});

test("after closing it takes nothing", () => {
  const r = rig();
  r.desk.close();
  r.call("a", 1, "status", {});
  expect(r.asked).toEqual([]);
  expect(r.news.sent.at(-1)).toEqual({ kind: "gone", core });
});

test("what a tab tells is passed on", () => {
  const r = rig();
  r.hear({ kind: "awake" });
  r.hear({ kind: "kept", kept: false });
  expect(r.heard).toEqual(["awake", false]);
});

test("a number of an earlier shelf means nothing on a later one", () => {
  const before = new Shelf();
  const n = before.put(new Blob(["secret plans"]));
  const after = new Shelf();
  after.put(new Blob(["holiday photo"]));
  expect(after.size(n)).toBe(-1);
});
