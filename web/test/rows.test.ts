import { describe, expect, test } from "vitest";
import { days, extended, merged, type Rows, trimmed, windowSize } from "../src/model/rows.ts";
import { item, items } from "./item.ts";

const rows = (more: Partial<Rows> = {}): Rows => ({ items: items(10, 20), older: false, newer: false, ...more });
const ids = (r: Rows) => r.items.map((i) => i.order);

describe("merging", () => {
  test("a changed row is replaced whole", () => {
    const r = merged(rows(), [item(12, { text: "new" })]);
    expect(r.items).toHaveLength(11);
    expect(r.items[2]?.text).toBe("new");
  });
  test("a new row at the end is added where the end is open to see", () => {
    expect(ids(merged(rows(), [item(21)])).at(-1)).toBe(21);
  });
  test("… and left out where newer rows are not on screen", () => {
    const r = merged(rows({ newer: true }), [item(21)]);
    expect(ids(r).at(-1)).toBe(20);
    expect(r.newer).toBe(true);
  });
  test("a row before the first is left out if older ones are not on screen", () => {
    expect(ids(merged(rows({ older: true }), [item(3)]))[0]).toBe(10);
    expect(ids(merged(rows(), [item(3)]))[0]).toBe(3);
  });
  test("a row that got its number moves to its place", () => {
    const sent = item(30, { id: "mine", seq: 0 });
    const r = merged(rows({ items: [...items(10, 12), sent, item(31)] }), [{ ...sent, order: 13, seq: 13 }]);
    expect(r.items.map((i) => i.id)).toEqual(["m10", "m11", "m12", "mine", "m31"]);
  });
  test("what is gone goes, even if it comes in the same breath", () => {
    const r = merged(rows(), [item(11)], ["m11", "m15"]);
    expect(ids(r)).not.toContain(11);
    expect(ids(r)).not.toContain(15);
  });
  test("nothing is put into an empty stretch whose ends are open", () => {
    const r = merged({ items: [], older: true, newer: false }, [item(1)]);
    expect(r.items).toEqual([]);
    expect(r.newer).toBe(true);
  });
});

describe("the window", () => {
  test("a page is put before without doubling what overlaps", () => {
    const r = extended(rows({ older: true }), items(1, 10), "older", false);
    expect(ids(r)).toEqual(items(1, 20).map((i) => i.order));
    expect(r.older).toBe(false);
  });
  test("it never holds more than its size, and remembers which end was cut", () => {
    const long = rows({ items: items(1, windowSize + 5) });
    const old = trimmed(long, "start");
    expect([old.items.length, old.items[0]?.order, old.newer, old.older]).toEqual([windowSize, 1, true, false]);
    const fresh = trimmed(long, "end");
    expect([fresh.items.length, fresh.items[0]?.order, fresh.older, fresh.newer]).toEqual([windowSize, 6, true, false]);
  });
});

describe("days", () => {
  const groups = (list: ReturnType<typeof items>, unread?: string) =>
    days(list, unread).flatMap((d) =>
      d.lines.map((l) =>
        l.kind === "message" ? `${l.opens ? "(" : ""}${l.item.order}${l.closes ? ")" : ""}` : l.kind,
      ),
    );
  test("one person's messages within five minutes belong together", () => {
    expect(groups(items(1, 3))).toEqual(["(1", "2", "3)"]);
  });
  test("another person, a pause and a change of members part them", () => {
    const list = [item(1), item(2, { from: "b" as never }), item(3), item(20), item(21, { kind: "change" }), item(22)];
    expect(groups(list)).toEqual(["(1)", "(2)", "(3)", "(20)", "note", "(22)"]);
  });
  test("so does the divider before what is unread", () => {
    expect(groups(items(1, 3), "m2")).toEqual(["(1)", "unread", "(2", "3)"]);
  });
  test("each day stands for itself; the start of the history has no date", () => {
    const next = item(3, { time: new Date(2026, 5, 2, 0, 1).getTime() });
    const all = days([item(1, { kind: "start" }), item(2), next]);
    expect(all.map((d) => d.time === undefined)).toEqual([true, false, false]);
  });
  test("a clock that went back does not make two days of one key", () => {
    const keys = days([item(1), item(2, { time: 0 }), item(3)]).map((d) => d.key);
    expect(new Set(keys).size).toBe(3);
  });
});
