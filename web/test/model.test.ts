import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Room, Status } from "../src/core/api.gen.ts";
import { ShownConnection } from "../src/model/connection.ts";
import { Files, lookOf } from "../src/model/files.ts";
import { fitted } from "../src/model/photo.ts";
import { matching, Rooms, unreadTotal } from "../src/model/rooms.ts";
import { Store } from "../src/model/store.ts";
import { Typing } from "../src/model/typing.ts";
import { Desk, room } from "./item.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("the connection", () => {
  const status = (connection: Status["connection"]) => ({ connection, since: Date.now() }) as Status;
  test("a short loss is never shown", () => {
    const s = new Store<Status | undefined>(status("online"));
    const { shown } = new ShownConnection(s);
    s.set(status("offline"));
    vi.advanceTimersByTime(2900);
    s.set(status("online"));
    vi.advanceTimersByTime(10_000);
    expect(shown.snapshot()).toBe("online");
  });
  test("a loss of three seconds is shown, and its end at once", () => {
    const s = new Store<Status | undefined>(status("online"));
    const { shown } = new ShownConnection(s);
    s.set(status("connecting"));
    vi.advanceTimersByTime(3000);
    expect(shown.snapshot()).toBe("connecting");
    s.set(status("online"));
    expect(shown.snapshot()).toBe("online");
  });
  test("a loss that lasted before the page opened is shown at once", () => {
    const s = new Store<Status | undefined>({ ...status("offline"), since: Date.now() - 60_000 });
    expect(new ShownConnection(s).shown.snapshot()).toBe("offline");
  });
});

describe("typing", () => {
  const says = (desk: Desk, account: string, ms: number) =>
    desk.say("typing", { room, account, name: account, until: Date.now() + ms });
  test("names leave when their time is up", () => {
    const desk = new Desk();
    const t = new Typing(desk);
    says(desk, "ann", 6000);
    says(desk, "bob", 2000);
    expect(t.rooms.snapshot().get(room)).toEqual(["ann", "bob"]);
    vi.advanceTimersByTime(2000);
    expect(t.rooms.snapshot().get(room)).toEqual(["ann"]);
    vi.advanceTimersByTime(4000);
    expect(t.rooms.snapshot().size).toBe(0);
  });
  test("a message ends it", () => {
    const desk = new Desk();
    const t = new Typing(desk);
    says(desk, "ann", 6000);
    desk.say("timeline", { room, items: [{ from: "ann" }], gone: [] });
    expect(t.rooms.snapshot().size).toBe(0);
  });
});

describe("rooms", () => {
  const make = (id: string, time: number, unread = 0) => ({ id, time, unread, title: id }) as unknown as Room;
  test("they are sorted by time as they change, and go when they are gone", async () => {
    const desk = new Desk({ rooms: () => ({ rooms: [make("a", 1), make("b", 2)] }) });
    const rooms = new Rooms(desk);
    await rooms.refresh();
    const order = () => rooms.list.snapshot().rooms.map((r) => r.id);
    expect(order()).toEqual(["b", "a"]);
    desk.say("rooms", { rooms: [make("a", 3)], gone: [] });
    expect(order()).toEqual(["a", "b"]);
    desk.say("rooms", { rooms: [], gone: ["b"] });
    expect(order()).toEqual(["a"]);
  });
  test("a direct room in which nothing was said is open but not listed, until it is made", () => {
    const desk = new Desk();
    const rooms = new Rooms(desk);
    const fresh = make("d", 5);
    rooms.put(fresh);
    expect(rooms.list.snapshot().rooms).toEqual([]);
    expect(rooms.list.snapshot().byId.get(fresh.id)).toBe(fresh);
    expect(rooms.isMade(fresh.id)).toBe(false);
    desk.say("rooms", { rooms: [make("d", 6)], gone: [] });
    expect(rooms.list.snapshot().rooms).toHaveLength(1);
    expect(rooms.isMade(fresh.id)).toBe(true);
  });
  test("searching looks at every word, without case, accents or ё", () => {
    const names = ["Никита Фёдоров", "Анна Петрова", "José Núñez"];
    const find = (q: string) => matching(names, q, (n) => n);
    expect(find("федор ник")).toEqual(["Никита Фёдоров"]);
    expect(find("NUNEZ")).toEqual(["José Núñez"]);
    expect(find(" ")).toEqual(names);
    expect(find("петр федор")).toEqual([]);
  });
  test("the title counts what is unread", () => {
    expect(unreadTotal([make("a", 1, 2), make("b", 1, 3)])).toBe(5);
  });
});

describe("files", () => {
  test("only known pictures and films are ever shown", () => {
    expect(lookOf({ type: "image/webp" })).toBe("picture");
    expect(lookOf({ type: "IMAGE/JPEG; x=y" })).toBe("picture");
    expect(lookOf({ type: "video/mp4" })).toBe("film");
    for (const type of ["image/svg+xml", "text/html", "application/xhtml+xml", "application/pdf", ""]) {
      expect(lookOf({ type })).toBe("file");
    }
  });
  test("a page disguised as a file gets no address of ours to run from", async () => {
    const made = vi.spyOn(URL, "createObjectURL").mockReturnValue("blob:x");
    const desk = new Desk({
      openFile: () => ({ name: "x", type: "text/html", size: 1, blob: new Blob(["<script>"]) }),
    });
    const { url } = new Files(desk).show(
      { room, id: "m", index: 0 },
      { name: "x", type: "text/html", size: 1, here: true },
    );
    expect((await url).ok).toBe(false);
    expect(made).not.toHaveBeenCalled();
    made.mockRestore();
  });
  test("a picture's address carries the type we checked, not what the core or the sender says", async () => {
    const types: string[] = [];
    const made = vi.spyOn(URL, "createObjectURL").mockImplementation((b) => {
      types.push((b as Blob).type);
      return "blob:x";
    });
    const desk = new Desk({
      openFile: () => ({ name: "x", type: "text/html", size: 1, blob: new Blob(["x"], { type: "text/html" }) }),
    });
    await new Files(desk).show({ room, id: "m", index: 0 }, { name: "x", type: "image/png", size: 1, here: true }).url;
    expect(types).toEqual(["image/png"]);
    made.mockRestore();
  });
  test("opened pictures are let go when many others were looked at since", async () => {
    const gone: string[] = [];
    let n = 0;
    const made = vi.spyOn(URL, "createObjectURL").mockImplementation(() => `blob:${n++}`);
    const revoke = vi.spyOn(URL, "revokeObjectURL").mockImplementation((u) => void gone.push(u));
    const files = new Files(new Desk({ openFile: () => ({ name: "x", type: "", size: 1, blob: new Blob(["x"]) }) }));
    const file = { name: "x", type: "image/png", size: 1, here: true };
    const kept = files.show({ room, id: "kept", index: 0 }, file);
    await kept.url;
    for (let i = 0; i < 70; i++) {
      const seen = files.show({ room, id: `m${i}`, index: 0 }, file);
      await seen.url;
      seen.done();
    }
    await vi.runAllTimersAsync();
    expect(gone.length).toBeGreaterThan(5);
    expect(gone).not.toContain("blob:0");
    made.mockRestore();
    revoke.mockRestore();
  });
});

test("photos keep their proportions within the longest side", () => {
  expect(fitted(4000, 3000, 2560)).toEqual({ w: 2560, h: 1920 });
  expect(fitted(100, 50, 2560)).toEqual({ w: 100, h: 50 });
  expect(fitted(10_000, 1, 320)).toEqual({ w: 320, h: 1 });
});
