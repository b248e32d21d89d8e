import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { linkOf } from "../src/app/link.ts";
import { parseRoute, roomPath } from "../src/app/route.ts";
import { deviceParts, EntryForm, type Purpose, type Ways } from "../src/features/entry/entryForm.ts";
import { Desk } from "./item.ts";

const entered = { ok: true, value: { phase: "ready" } } as const;
const refused = (code: string, field?: string, retry?: number) =>
  ({ ok: false, failure: { code, ...(field ? { field } : {}), ...(retry ? { retry } : {}) } }) as never;

function form(
  purpose: Purpose,
  ways: Partial<Ways> = {},
  desk = new Desk({ checkLink: () => ({ kind: "invite", org: "Org" }) }),
  me = "",
) {
  const asked: unknown[] = [];
  const note = (how: unknown) => {
    asked.push(how);
    return Promise.resolve(entered);
  };
  const f = new EntryForm(
    desk,
    { signUp: note, signIn: note, reset: note, ...ways },
    purpose,
    "TOKEN",
    "Firefox on Linux",
    me,
  );
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

describe("a link to a new password", () => {
  const link = () => new Desk({ checkLink: () => ({ kind: "reset", org: "Org", name: "Ann" }) });
  test("says whose it is, and asks for the password alone", async () => {
    const { f, state, asked } = form("reset", {}, link());
    await f.check();
    expect(state()).toMatchObject({ step: "form", purpose: "reset", who: "Ann", org: "Org" });
    f.edit("password", "short");
    await f.submit();
    expect(state().wrong).toEqual({ password: "entry.passwordShort" });
    f.edit("password", "long enough");
    await f.submit();
    expect(asked).toEqual([{ token: "TOKEN", password: "long enough", device: "Firefox on Linux" }]);
    expect(state().step).toBe("done");
  });
  test("is known for what it is on the page of another kind", async () => {
    const { f, state } = form("join", {}, link());
    await f.check();
    expect(state()).toMatchObject({ purpose: "reset", who: "Ann" });
  });
  test("keeps what was typed when that is too easy to guess", async () => {
    const { f, state } = form("reset", { reset: async () => refused("guessable", "password") }, link());
    await f.check();
    f.edit("password", "password1");
    await f.submit();
    expect(state()).toMatchObject({ step: "form", wrong: { password: "fail.guessable" } });
    expect(state().values.password).toBe("password1");
  });
  test("says so when it was used up meanwhile", async () => {
    const { f, state } = form("reset", { reset: async () => refused("not_found") }, link());
    await f.check();
    f.edit("password", "long enough");
    await f.submit();
    expect(state().step).toBe("dead");
  });
  test("of somebody else replaces nobody who is at home here, however it is pressed", async () => {
    const { f, state, asked } = form("reset", {}, link(), "Bob");
    await f.check();
    expect(state()).toMatchObject({ step: "other", who: "Ann" });
    f.edit("password", "long enough");
    await f.submit();
    expect(asked).toEqual([]);
  });
  test("of one's own works where one is at home; an invite does not", async () => {
    const own = form("reset", {}, link(), "Ann");
    await own.f.check();
    expect(own.state().step).toBe("form");
    const invite = form("reset", {}, undefined, "Ann");
    await invite.f.check();
    invite.f.edit("name", "Bob");
    invite.f.edit("password", "long enough");
    await invite.f.submit();
    expect(invite.state().step).toBe("dead");
    expect(invite.asked).toEqual([]);
  });
  test("leaves a device that waits to be let in to the screen that says so", async () => {
    const waits = async () => ({ ok: true, value: { phase: "enrolling" } }) as const;
    const { f, state } = form("reset", { reset: waits }, link());
    await f.check();
    f.edit("password", "long enough");
    await f.submit();
    expect(state().step).toBe("working");
  });
});

describe("who was signed out here", () => {
  test("comes back with the password alone, under the same name", async () => {
    const { f, state, asked } = form("again", {}, new Desk(), "Ann");
    await f.check();
    expect(state()).toMatchObject({ step: "form", who: "Ann" });
    await f.submit();
    expect(state().wrong).toEqual({ password: "password.wrong" });
    f.edit("password", "x");
    await f.submit();
    expect(asked).toEqual([{ name: "Ann", password: "x", device: "Firefox on Linux" }]);
  });
  test("is told of a wrong password at its field, of too many attempts, and of who is at home", async () => {
    let code = "not_found";
    const { f, state } = form("again", { signIn: async () => refused(code, undefined, 90_000) }, new Desk(), "Ann");
    await f.check();
    f.edit("password", "x");
    await f.submit();
    expect(state().wrong).toEqual({ password: "password.wrong" });
    code = "attempts";
    await f.submit();
    expect(state()).toMatchObject({ wrong: { form: "fail.attempts" }, retry: 90_000 });
    code = "occupied";
    await f.submit();
    expect(state().wrong).toEqual({ form: "ended.occupied" });
  });
});

test("links and places are read strictly", () => {
  expect(linkOf("/setup", "#ABC")).toEqual({ purpose: "setup", token: "ABC" });
  expect(linkOf("/join", "#X")).toEqual({ purpose: "join", token: "X" });
  expect(linkOf("/reset", "#Y")).toEqual({ purpose: "reset", token: "Y" });
  for (const path of ["/", "/resets", "/reset/x"]) expect(linkOf(path, "#ABC"), path).toBeUndefined();
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
