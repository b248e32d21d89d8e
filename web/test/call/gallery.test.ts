import { describe, expect, test } from "vitest";
import type { View } from "../../src/core/api.gen.ts";
import { resultOf } from "../../src/model/call/check.ts";
import { arrange, assign, slotsFor } from "../../src/model/call/gallery.ts";
import { gradeOf } from "../../src/model/call/quality.ts";
import { callOf, participant } from "./parts.ts";

const want = (...numbers: number[]) => numbers.map((number) => ({ number, source: "camera" as const, height: 100 }));
const mids = ["a", "b", "c"];
const told = (views: readonly View[]) => views.map((v) => `${v.mid}${v.number}`).sort();

describe("slots", () => {
  test("who has one keeps it when others come and go", () => {
    const first = assign(want(1, 2), mids, []);
    expect(told(first)).toEqual(["a1", "b2"]);
    const next = assign(want(3, 2), mids, first);
    expect(told(next)).toEqual(["a3", "b2"]);
  });
  test("what finds no place is left out, last wish first", () => {
    expect(told(assign(want(1, 2, 3, 4), mids, []))).toEqual(["a1", "b2", "c3"]);
  });
  test("a camera and a screen of one person are two pictures", () => {
    const views = assign([...want(1), { number: 1, source: "screen", height: 700 }], mids, []);
    expect(views).toHaveLength(2);
  });
  test("are offered by the page", () => {
    expect([0, 4, 5, 9, 10, 25, 40].map(slotsFor)).toEqual([4, 4, 9, 9, 16, 25, 25]);
  });
});

describe("who stands where", () => {
  const me = participant(1, { me: true });
  const others = [2, 3, 4].map((n) => participant(n));
  const numbers = (tiles: readonly { who: { number: number } }[]) => tiles.map((t) => t.who.number);

  test("everybody is the same size, oneself last", () => {
    const { main, side } = arrange(callOf([me, ...others]), "grid", undefined, [4]);
    expect(numbers(main)).toEqual([2, 3, 4, 1]);
    expect(side).toEqual([]);
  });
  test("of two, the other is large", () => {
    const { main, side } = arrange(callOf([me, participant(2)]), "grid", undefined, []);
    expect([numbers(main), numbers(side)]).toEqual([[2], [1]]);
  });
  test("who spoke last is large, on wish", () => {
    const { main, side } = arrange(callOf([me, ...others]), "speaker", undefined, [3, 2]);
    expect([numbers(main), numbers(side)]).toEqual([[3], [2, 4, 1]]);
  });
  test("a shared screen is large by itself, unless something was pinned", () => {
    const call = callOf([me, participant(2, { screen: true }), participant(3)]);
    expect(arrange(call, "grid", undefined, []).main[0]?.key).toBe("2 screen");
    const pinned = arrange(call, "grid", "3 camera", []);
    expect(pinned.main[0]?.key).toBe("3 camera");
    expect(pinned.side.map((t) => t.key)).toContain("2 screen");
  });
  test("beyond a page, who speaks comes in", () => {
    const many = Array.from({ length: 40 }, (_, n) => participant(n + 2));
    const { main, more } = arrange(callOf([me, ...many]), "grid", undefined, [39]);
    expect(main).toHaveLength(25);
    expect(main[0]?.who.number).toBe(39);
    expect(more).toBe(16);
  });
});

test("the network in plain words", () => {
  expect(gradeOf(undefined).grade).toBe("unknown");
  expect(gradeOf({ lossUp: 3, lossDown: 0, rtt: 40 })).toEqual({ grade: "good", weakness: undefined });
  expect(gradeOf({ lossUp: 40, lossDown: 2, rtt: 40 })).toEqual({ grade: "fair", weakness: "up" });
  expect(gradeOf({ lossUp: 2, lossDown: 120, rtt: 40 })).toEqual({ grade: "poor", weakness: "down" });
  expect(gradeOf({ lossUp: 0, lossDown: 0, rtt: 450 })).toEqual({ grade: "fair", weakness: "slow" });
});

test("what the test of a call means", () => {
  const works = { at: "works" } as const;
  const fails = { at: "fails" } as const;
  const all = { microphone: works, udp: works, tcp: works, tls: works };
  expect(resultOf(all)).toBe("good");
  expect(resultOf({ ...all, udp: fails })).toBe("detour");
  expect(resultOf({ ...all, udp: fails, tcp: fails })).toBe("onlyTls");
  expect(resultOf({ ...all, udp: fails, tcp: fails, tls: fails })).toBe("noPath");
  expect(resultOf({ ...all, microphone: fails })).toBe("noMicrophone");
});
