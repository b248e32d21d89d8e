import { describe, expect, test } from "vitest";
import type { AccountID, RoomID, Status } from "../../src/core/api.gen.ts";
import type { Answer, CoreID, News, TabID, ToCore } from "../../src/core/tabs/protocol.ts";
import { type Line, TabCore } from "../../src/core/tabs/tab.ts";

const room = "r" as RoomID;
const one = "core1" as CoreID;
const two = "core2" as CoreID;
const online = { phase: "ready", connection: "online" } as Status;

type Call = Extract<ToCore, { kind: "call" }>;

// Seat is a tab whose channels the test holds at their other ends.
class Seat {
  readonly said: ToCore[] = [];
  readonly core: TabCore;
  private readonly news: Line = { postMessage: () => {}, onmessage: null };
  private readonly answers: Line = { postMessage: () => {}, onmessage: null };

  constructor() {
    const calls: Line = { postMessage: (m) => this.said.push(m as ToCore), onmessage: null };
    this.core = new TabCore("tab" as TabID, { calls, news: this.news, answers: this.answers });
  }

  hear(news: News): void {
    this.news.onmessage?.({ data: news } as MessageEvent);
  }

  answer(n: number, ok: boolean, value: unknown, blob?: Blob): void {
    const a: Answer = { n, ok, json: JSON.stringify(value), ...(blob ? { blob } : {}) };
    this.answers.onmessage?.({ data: a } as MessageEvent);
  }

  calls(): Call[] {
    return this.said.filter((m) => m.kind === "call");
  }
}

describe("a tab", () => {
  test("asks who is there, and calls wait until somebody is", async () => {
    const seat = new Seat();
    expect(seat.said).toEqual([{ kind: "who" }]);
    const answer = seat.core.call("status", {});
    expect(seat.calls()).toEqual([]);
    seat.hear({ kind: "here", core: one });
    expect(seat.calls()).toMatchObject([{ core: one, tab: "tab", n: 1, name: "status", params: "{}" }]);
    seat.answer(1, true, online);
    expect(await answer).toEqual({ ok: true, value: online });
  });

  test("gets a failure as a value", async () => {
    const seat = new Seat();
    seat.hear({ kind: "here", core: one });
    const answer = seat.core.call("room", { room });
    seat.answer(1, false, { code: "not_found" });
    expect(await answer).toEqual({ ok: false, failure: { code: "not_found" } });
  });

  test("gets a file as a blob", async () => {
    const seat = new Seat();
    seat.hear({ kind: "here", core: one });
    const blob = new Blob(["x"]);
    const answer = seat.core.call("openFile", { room, id: "i", index: 0 });
    seat.answer(1, true, { name: "a.txt" }, blob);
    expect(await answer).toEqual({ ok: true, value: { name: "a.txt", blob } });
  });

  test("hears the events of its core alone, until it no longer wants to", () => {
    const seat = new Seat();
    const heard: Status[] = [];
    const stop = seat.core.on("status", (s) => heard.push(s));
    const event = (core: CoreID) => seat.hear({ kind: "event", core, name: "status", json: JSON.stringify(online) });
    event(one); // nobody's yet
    seat.hear({ kind: "here", core: one });
    event(one);
    event(two);
    stop();
    event(one);
    expect(heard).toEqual([online]);
  });
});

describe("when another core takes over", () => {
  test("what only reads is asked again, and anything else has failed", async () => {
    const seat = new Seat();
    seat.hear({ kind: "here", core: one });
    const read = seat.core.call("timeline", { room });
    const send = seat.core.call("send", { room, text: "hello" });
    seat.hear({ kind: "here", core: two });
    expect(await send).toMatchObject({ ok: false, failure: { code: "cancelled" } });
    const again = seat.calls().filter((c) => c.core === two && c.name === "timeline");
    expect(again).toHaveLength(1);
    seat.answer(again[0]?.n ?? 0, true, { room, items: [], older: false, newer: false });
    expect(await read).toMatchObject({ ok: true });
  });

  test("a message is never given to both", () => {
    const seat = new Seat();
    seat.hear({ kind: "here", core: one });
    void seat.core.call("send", { room, text: "hello" });
    seat.hear({ kind: "here", core: two });
    expect(seat.calls().filter((c) => c.name === "send")).toHaveLength(1);
  });

  test("what was called while nobody was there goes to it", async () => {
    const seat = new Seat();
    seat.hear({ kind: "here", core: one });
    seat.hear({ kind: "gone", core: one });
    const send = seat.core.call("send", { room, text: "hello" });
    expect(seat.calls()).toEqual([]);
    seat.hear({ kind: "here", core: two });
    const [call] = seat.calls().filter((c) => c.name === "send");
    expect(call?.core).toBe(two);
    seat.answer(call?.n ?? 0, true, { room, id: "1" });
    expect(await send).toMatchObject({ ok: true });
  });

  test("the interface is told to ask again, and hears the status", async () => {
    const seat = new Seat();
    const heard: unknown[] = [];
    seat.core.onRestart(() => heard.push("restart"));
    seat.core.on("status", (s) => heard.push(s.connection));
    seat.hear({ kind: "here", core: one });
    seat.hear({ kind: "here", core: one }); // an answer to another tab's "who"
    expect(heard).toEqual([]); // the first core is no restart
    seat.hear({ kind: "here", core: two });
    expect(heard).toEqual(["restart"]);
    const status = seat.calls().at(-1);
    expect(status).toMatchObject({ core: two, name: "status" });
    seat.answer(status?.n ?? 0, true, online);
    await new Promise((resolve) => setTimeout(resolve));
    expect(heard).toEqual(["restart", "online"]);
  });

  test("a late answer of the old one settles what was repeated, and the new one's is dropped", async () => {
    const seat = new Seat();
    seat.hear({ kind: "here", core: one });
    const read = seat.core.call("people", {});
    const n = seat.calls()[0]?.n ?? 0;
    seat.hear({ kind: "here", core: two });
    seat.answer(n, true, { people: [] });
    seat.answer(n, true, { people: [{ id: "a" as AccountID }] });
    expect(await read).toEqual({ ok: true, value: { people: [] } });
  });
});

test("where no core can run every call says so, those that wait too", async () => {
  const seat = new Seat();
  const before = seat.core.call("status", {});
  seat.core.fail({ code: "unsupported" });
  expect(await before).toEqual({ ok: false, failure: { code: "unsupported" } });
  expect(await seat.core.call("status", {})).toEqual({ ok: false, failure: { code: "unsupported" } });
});
