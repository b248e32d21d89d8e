import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { linkOf } from "../src/app/link.ts";
import { parseRoute, roomPath } from "../src/app/route.ts";
import { deviceParts, EntryForm, type Ways } from "../src/features/entry/entryForm.ts";
import { Desk } from "./item.ts";

const entered = { ok: true, value: { phase: "ready" } } as const;
const refused = (code: string, field?: string) =>
  ({ ok: false, failure: { code, ...(field ? { field } : {}) } }) as never;

function form(
  purpose: "setup" | "join" | "signIn",
  ways: Partial<Ways> = {},
  desk = new Desk({ checkLink: () => ({ kind: "invite", org: "Org" }) }),
) {
  const asked: unknown[] = [];
  const note = (how: unknown) => {
    asked.push(how);
    return Promise.resolve(entered);
  };
  const f = new EntryForm(desk, { signUp: note, signIn: note, ...ways }, purpose, "TOKEN", "Firefox on Linux");
  return { f, asked, state: () => f.state.snapshot() };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a link", () => {
  test("that is good for something opens the form", async () => {
    const { f, state } = form("join");
    await f.check();
    expect(state()).toMatchObject({ step: "form", purpose: "join", org: "Org" });
  });
  test("that was used says so", async () => {
    const dead = new Desk({
      checkLink: () => {
        throw "not_found";
      },
    });
    const { f, state } = form("join", {}, dead);
    await f.check();
    expect(state().step).toBe("dead");
  });
  test("is asked about again when the server cannot be reached", async () => {
    let offline = true;
    const desk = new Desk({
      checkLink: () => {
        if (offline) throw "offline";
        return { kind: "setup", org: "" };
      },
    });
    const { f, state } = form("setup", {}, desk);
    await f.check();
    expect(state().step).toBe("unreachable");
    offline = false;
    await vi.advanceTimersByTimeAsync(3000);
    expect(state()).toMatchObject({ step: "form", purpose: "setup" });
  });
});

describe("the form", () => {
  test("says what is wrong beside its field, and asks the server nothing", async () => {
    const { f, state, asked } = form("setup");
    f.edit("password", "short");
    await f.submit();
    expect(state().wrong).toEqual({ org: "entry.orgBad", name: "entry.nameBad", password: "entry.passwordShort" });
    f.edit("name", "Ann");
    expect(state().wrong.name).toBeUndefined();
    expect(asked).toEqual([]);
  });
  test("sends the password as it was typed, the rest without stray spaces", async () => {
    const { f, asked } = form("join");
    f.edit("name", "  Ann ");
    f.edit("password", " eight chars ");
    await f.submit();
    expect(asked).toEqual([{ token: "TOKEN", name: "Ann", password: " eight chars ", device: "Firefox on Linux" }]);
  });
  test("does not send twice", async () => {
    const { f, asked } = form("signIn");
    f.edit("name", "Ann");
    f.edit("password", "x");
    await Promise.all([f.submit(), f.submit()]);
    expect(asked).toHaveLength(1);
  });
  test("keeps what was typed when the server refuses", async () => {
    const { f, state } = form("join", { signUp: async () => refused("taken") });
    f.edit("name", "Ann");
    f.edit("password", "long enough");
    await f.submit();
    expect(state()).toMatchObject({
      step: "form",
      wrong: { name: "entry.taken" },
      values: { name: "Ann", password: "long enough" },
    });
  });
  test("does not tell a wrong name from a wrong password", async () => {
    const { f, state } = form("signIn", { signIn: async () => refused("not_found") });
    f.edit("name", "Ann");
    f.edit("password", "x");
    await f.submit();
    expect(state().wrong).toEqual({ form: "entry.wrong" });
  });
});

test("links and places are read strictly", () => {
  expect(linkOf("/setup", "#ABC")).toEqual({ purpose: "setup", token: "ABC" });
  expect(linkOf("/join", "#X")).toEqual({ purpose: "join", token: "X" });
  expect(linkOf("/", "#ABC")).toBeUndefined();
  expect(parseRoute(roomPath("abc234" as never, true))).toEqual({ at: "room", room: "abc234", details: true });
  expect(parseRoute("/r/<script>")).toEqual({ at: "list" });
  expect(parseRoute("/elsewhere")).toEqual({ at: "list" });
});

test("a device is proposed a name that people know", () => {
  const name = (agent: string) => Object.values(deviceParts(agent)).join(", ");
  expect(name("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")).toBe("Firefox, Linux");
  expect(
    name(
      "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1",
    ),
  ).toBe("Safari, iOS");
  expect(name("Mozilla/5.0 (Windows NT 10.0; Win64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36 Edg/140.0")).toBe(
    "Edge, Windows",
  );
  expect(name("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36")).toBe(
    "Chrome, Android",
  );
});
