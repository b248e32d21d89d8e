import { describe, expect, test } from "vitest";
import { Deed } from "../src/model/deed.ts";
import { Devices } from "../src/model/devices.ts";
import { PasswordForm } from "../src/model/password.ts";
import { Desk, gate } from "./item.ts";

describe("changing the password", () => {
  const form = (refusal?: string) => {
    const desk = new Desk({
      changePassword: () => {
        if (refusal) throw refusal;
        return {};
      },
    });
    const f = new PasswordForm(desk);
    f.edit("old", "the old one");
    f.edit("new", " the new one ");
    return { desk, f, state: () => f.state.snapshot() };
  };
  test("says beside the fields what would be refused, and asks nothing", async () => {
    const { desk, f, state } = form();
    f.edit("old", "");
    f.edit("new", "7 chars");
    await f.submit();
    expect(state().wrong).toEqual({ old: "wrong", new: "short" });
    expect(desk.calls).toEqual([]);
    f.edit("new", "8 chars!");
    expect(state().wrong).toEqual({ old: "wrong" });
  });
  test("counts characters as people do", async () => {
    const { desk, f } = form();
    f.edit("new", "🙂🙂🙂🙂"); // eight UTF-16 units
    await f.submit();
    expect(desk.calls).toEqual([]);
  });
  test("sends what was typed, and forgets it", async () => {
    const { desk, f, state } = form();
    await Promise.all([f.submit(), f.submit()]);
    expect(desk.asked("changePassword")).toEqual([{ old: "the old one", new: " the new one " }]);
    expect(state()).toEqual({ step: "done", values: { old: "", new: "" }, wrong: {}, retry: 0 });
  });
  for (const [code, wrong] of [
    ["not_found", { old: "wrong" }],
    ["guessable", { new: "guessable" }],
    ["busy", { form: "busy" }],
    ["attempts", { form: "attempts" }],
    ["offline", { form: "offline" }],
  ] as const) {
    test(`refused with ${code} it keeps what was typed, and says what is wrong where`, async () => {
      const { f, state } = form(code);
      await f.submit();
      expect(state()).toEqual({ step: "form", values: { old: "the old one", new: " the new one " }, wrong, retry: 0 });
    });
  }
});

describe("a deed", () => {
  const proof = { wanted: true };
  const core = () =>
    new Desk({
      prove: ({ password }: { password: string }) => {
        if (password === "slow down") throw { code: "attempts", retry: 180_000 };
        if (password === "all at once") throw { code: "busy", retry: 1500 };
        if (password !== "right") throw "not_found";
        proof.wanted = false;
        return {};
      },
      shutAccount: () => {
        if (proof.wanted) throw "prove";
        return { done: true };
      },
    });
  const begin = (desk: Desk) => new Deed(desk, () => desk.call("shutAccount", { person: "ann" }));

  test("that needs no proof is done at once", async () => {
    proof.wanted = false;
    const desk = core();
    const deed = begin(desk);
    expect(await deed.run()).toEqual({ done: true });
    expect(desk.asked("prove")).toEqual([]);
  });
  test("asks for the password, and goes on by itself after it", async () => {
    proof.wanted = true;
    const desk = core();
    const deed = begin(desk);
    expect(await deed.run()).toBeUndefined();
    expect(deed.state.snapshot()).toEqual({ step: "password", busy: false });
    expect(await deed.prove("right")).toEqual({ done: true });
    expect(desk.asked("shutAccount")).toHaveLength(2);
  });
  test("is not done after a wrong password, which is said", async () => {
    proof.wanted = true;
    const desk = core();
    const deed = begin(desk);
    await deed.run();
    for (const [password, said] of [
      ["", { wrong: "password" }],
      ["guess", { wrong: "password" }],
      ["slow down", { wrong: "attempts", retry: 180_000 }],
      ["all at once", { wrong: "busy", retry: 1500 }],
    ] as const) {
      expect(await deed.prove(password)).toBeUndefined();
      expect(deed.state.snapshot()).toEqual({ step: "password", busy: false, ...said });
    }
    expect(desk.asked("shutAccount")).toHaveLength(1);
    expect(desk.asked("prove")).toHaveLength(3); // an empty one is not even shown
    deed.edited();
    expect(deed.state.snapshot()).toEqual({ step: "password", busy: false });
  });
  test("that is refused says why", async () => {
    const desk = new Desk({
      shutAccount: () => {
        throw "last_admin";
      },
    });
    const deed = begin(desk);
    expect(await deed.run()).toBeUndefined();
    expect(deed.state.snapshot()).toEqual({ step: "ready", busy: false, wrong: "last_admin" });
  });
  test("is done once, however often it is pressed", async () => {
    const { promise, open } = gate<object>();
    const desk = new Desk({ shutAccount: () => promise });
    const deed = begin(desk);
    const both = Promise.all([deed.run(), deed.run()]);
    open({});
    expect(await both).toEqual([{}, undefined]);
    expect(desk.asked("shutAccount")).toHaveLength(1);
  });
});

describe("removing all other devices", () => {
  const device = (id: string, more = {}) => ({ id, state: "active", this: false, ...more });
  test("leaves this one and those that were never let in", async () => {
    const desk = new Desk({
      devices: () => ({
        devices: [device("here", { this: true }), device("a"), device("b"), device("waits", { state: "pending" })],
      }),
    });
    const devices = new Devices(desk);
    await devices.refresh();
    expect((await devices.revokeOthers()).ok).toBe(true);
    expect(desk.asked("revokeDevice")).toEqual([{ device: "a" }, { device: "b" }]);
  });
  test("stops at the first that cannot be removed, and says why", async () => {
    const desk = new Desk({
      devices: () => ({ devices: [device("a"), device("b")] }),
      revokeDevice: () => {
        throw "offline";
      },
    });
    const devices = new Devices(desk);
    await devices.refresh();
    expect(await devices.revokeOthers()).toMatchObject({ ok: false, failure: { code: "offline" } });
    expect(desk.asked("revokeDevice")).toHaveLength(1);
  });
});
