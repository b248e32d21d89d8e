import { describe, expect, test } from "vitest";
import type { Item, Timeline as Page, Window } from "../src/core/api.gen.ts";
import { windowSize } from "../src/model/rows.ts";
import { Timeline } from "../src/model/timeline.ts";
import { Desk, gate, item, items, room } from "./item.ts";

// stored answers windows from a list, as the core does.
function stored(all: readonly Item[]) {
  return ({ before, after, limit = 60 }: Window): Page => {
    let from = Math.max(0, all.length - limit);
    let to = all.length;
    if (before !== undefined) {
      to = all.findIndex((i) => i.order >= before);
      from = Math.max(0, to - limit);
    } else if (after !== undefined) {
      from = all.findIndex((i) => i.order > after);
      to = Math.min(all.length, from + limit);
    }
    return { room, items: all.slice(from, to), older: from > 0, newer: to < all.length };
  };
}

const message = { text: "hello", files: [], blobs: [] };
const texts = (t: Timeline) => t.state.snapshot().items.map((i) => i.text);

describe("sending", () => {
  test("a message stands in the list before the core has answered", async () => {
    const answer = gate<unknown>();
    const desk = new Desk({ timeline: stored([]), send: () => answer.promise });
    const t = new Timeline(desk, room);
    await t.open(false);
    const sent = t.send(message, { room });
    await Promise.resolve();
    expect(texts(t)).toEqual(["hello"]);
    expect(t.state.snapshot().items[0]?.state).toBe("saved");
    answer.open({ room, id: "m1" });
    expect((await sent).ok).toBe(true);
  });
  for (const first of ["answer", "event"] as const) {
    test(`the core's row takes its place under the same key when the ${first} comes first`, async () => {
      const answer = gate<unknown>();
      const desk = new Desk({ timeline: stored([]), send: () => answer.promise });
      const t = new Timeline(desk, room);
      await t.open(false);
      const sent = t.send(message, { room });
      await Promise.resolve();
      const key = t.keyOf(t.state.snapshot().items[0]?.id ?? "");
      const event = () =>
        desk.say("timeline", {
          room,
          items: [item(1, { mine: true, state: "saved", text: "hello", seq: 0 })],
          gone: [],
        });
      if (first === "event") event();
      answer.open({ room, id: "m1" });
      await sent;
      if (first === "answer") event();
      expect(t.state.snapshot().items.map((i) => i.id)).toEqual(["m1"]);
      expect(t.keyOf("m1")).toBe(key);
    });
  }
  test("two equal messages in a row stay two", async () => {
    const answers = [gate<unknown>(), gate<unknown>()];
    let n = 0;
    const desk = new Desk({ timeline: stored([]), send: () => answers[n++]?.promise });
    const t = new Timeline(desk, room);
    await t.open(false);
    const both = [t.send(message, { room }), t.send(message, { room })];
    await Promise.resolve();
    desk.say("timeline", { room, items: [item(1, { mine: true, text: "hello" })], gone: [] });
    desk.say("timeline", { room, items: [item(2, { mine: true, text: "hello" })], gone: [] });
    answers.forEach((a, i) => {
      a.open({ room, id: `m${i + 1}` });
    });
    await Promise.all(both);
    expect(t.state.snapshot().items.map((i) => i.id)).toEqual(["m1", "m2"]);
  });
  test("what the core refuses leaves the list, and the caller hears why", async () => {
    const desk = new Desk({
      timeline: stored(items(1, 3)),
      send: () => {
        throw "no_space";
      },
    });
    const t = new Timeline(desk, room);
    await t.open(false);
    const got = await t.send(message, { room });
    expect(got).toEqual({ ok: false, failure: { code: "no_space" } });
    expect(t.state.snapshot().items).toHaveLength(3);
  });
  test("sending from far back in the history goes to the newest rows first", async () => {
    const desk = new Desk({ timeline: stored(items(1, 500)), send: () => ({ room, id: "x" }) });
    const t = new Timeline(desk, room);
    await t.open(false);
    for (let n = 0; n < 3; n++) await t.more("older");
    expect(t.state.snapshot().newer).toBe(true);
    await t.send(message, { room });
    expect(texts(t).slice(-2)).toEqual(["text 500", "hello"]);
  });
});

describe("the window", () => {
  test("it slides to the start and back without a gap, never longer than its size", async () => {
    const t = new Timeline(new Desk({ timeline: stored(items(1, 1000)) }), room);
    await t.open(false);
    const whole = () => {
      const orders = t.state.snapshot().items.map((i) => i.order);
      expect(orders.length).toBeLessThanOrEqual(windowSize);
      expect(orders).toEqual(orders.map((_, n) => (orders[0] ?? 0) + n));
      return orders;
    };
    while (t.state.snapshot().older) {
      await t.more("older");
      whole();
    }
    expect(whole()[0]).toBe(1);
    while (t.state.snapshot().newer) {
      await t.more("newer");
      whole();
    }
    expect(whole().at(-1)).toBe(1000);
  });
  test("an event that comes while a page is fetched is not lost", async () => {
    const page = gate<Page>();
    const all = items(1, 200);
    let first = true;
    const desk = new Desk({
      timeline: (w: Window) => {
        if (first) {
          first = false;
          return stored(all)(w);
        }
        return page.promise;
      },
    });
    const t = new Timeline(desk, room);
    await t.open(false);
    const more = t.more("older");
    desk.say("timeline", { room, items: [item(100, { text: "edited" })], gone: ["m101"] });
    page.open(stored(all)({ room, before: 141, limit: 60 })); // as it was before the event
    await more;
    expect(t.state.snapshot().items.find((i) => i.order === 100)?.text).toBe("edited");
    expect(t.state.snapshot().items.some((i) => i.id === "m101")).toBe(false);
  });
  test("new messages do not move somebody who reads further up", async () => {
    const desk = new Desk({ timeline: stored(items(1, 300)) });
    const t = new Timeline(desk, room);
    await t.open(false);
    await t.more("older");
    t.atEnd = false;
    const before = t.state.snapshot().items[0]?.order;
    for (let n = 301; n < 330; n++) desk.say("timeline", { room, items: [item(n)], gone: [] });
    expect(t.state.snapshot().items[0]?.order).toBe(before);
    expect(t.state.snapshot().newer).toBe(true);
  });
  test("other rooms' events are none of its business", async () => {
    const desk = new Desk({ timeline: stored([]) });
    const t = new Timeline(desk, room);
    await t.open(false);
    desk.say("timeline", { room: "other", items: [item(1)], gone: [] });
    expect(t.state.snapshot().items).toEqual([]);
  });
  test("a quoted message is found however far back it lies", async () => {
    const t = new Timeline(new Desk({ timeline: stored(items(1, 900)) }), room);
    await t.open(false);
    expect(await t.reveal("m7")).toBe(true);
    expect(t.state.snapshot().items.some((i) => i.id === "m7")).toBe(true);
  });
  test("looking for one that is not here moves nobody", async () => {
    const t = new Timeline(new Desk({ timeline: stored(items(1, 900)) }), room);
    await t.open(false);
    const before = t.state.snapshot().items;
    expect(await t.reveal("nowhere")).toBe(false);
    expect(t.state.snapshot().items).toEqual(before);
  });
  test("a failed start can be tried again", async () => {
    let broken = true;
    const desk = new Desk({
      timeline: (w: Window) => {
        if (broken) throw "internal";
        return stored(items(1, 2))(w);
      },
    });
    const t = new Timeline(desk, room);
    await t.open(false);
    expect(t.state.snapshot().phase).toBe("failed");
    broken = false;
    await t.open(false);
    expect(t.state.snapshot().phase).toBe("ready");
  });
});

test("reading is told once, and only forwards", async () => {
  const desk = new Desk();
  const t = new Timeline(desk, room);
  for (const seq of [4, 4, 2, 9]) t.seen(seq);
  expect(desk.asked("markRead")).toEqual([
    { room, seq: 4 },
    { room, seq: 9 },
  ]);
});

test("who goes elsewhere says so", () => {
  const desk = new Desk();
  new Timeline(desk, room).left();
  expect(desk.asked("lookAway")).toEqual([{}]);
});

describe("what comes while nobody looks", () => {
  test("is marked as unread from its first message on", async () => {
    const desk = new Desk({ timeline: stored(items(1, 3)) });
    const t = new Timeline(desk, room);
    await t.open(false);
    t.watched = false;
    for (const n of [4, 5]) desk.say("timeline", { room, items: [item(n)], gone: [] });
    expect(t.state.snapshot().firstUnread).toBe("m4");
  });
  test("but not one's own words, nor what one sees come", async () => {
    const desk = new Desk({ timeline: stored(items(1, 3)) });
    const t = new Timeline(desk, room);
    await t.open(false);
    desk.say("timeline", { room, items: [item(4)], gone: [] });
    t.watched = false;
    desk.say("timeline", { room, items: [item(5, { mine: true })], gone: [] });
    desk.say("timeline", { room, items: [item(2, { edited: true })], gone: [] });
    expect(t.state.snapshot().firstUnread).toBeUndefined();
  });
});
