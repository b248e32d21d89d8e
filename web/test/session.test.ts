import { expect, test, vi } from "vitest";
import { Model } from "../src/model/model.ts";
import { Desk, items, room } from "./item.ts";

test("whoever signs in next finds nothing of who signed out", async () => {
  const desk = new Desk({
    status: () => ({ phase: "ready" }),
    rooms: () => ({ rooms: [{ id: room, time: 1, title: "Secret", unread: 0 }] }),
    people: () => ({ people: [{ id: "ann", name: "Ann" }] }),
    devices: () => ({ devices: [{ id: "d" }] }),
    notices: () => ({ notices: [{ id: "n", time: 1 }] }),
    calls: () => ({ calls: [{ id: "call", room, ended: false }], rings: [] }),
    timeline: () => ({ room, items: items(1, 3), older: false, newer: false }),
  });
  const model = new Model(desk);
  model.start();
  await vi.waitFor(() => expect(model.rooms.list.snapshot().rooms).toHaveLength(1));
  await vi.waitFor(() => expect(model.calls.list.snapshot().byRoom.size).toBe(1));
  await model.timeline(room).open(false);
  const before = model.timeline(room);
  desk.say("status", { phase: "fresh" });
  expect(model.rooms.list.snapshot().byId.size).toBe(0);
  expect(model.people.list.snapshot().people).toEqual([]);
  expect(model.devices.list.snapshot()).toBeUndefined();
  expect(model.notices.list.snapshot()).toEqual([]);
  expect(model.calls.list.snapshot().byRoom.size).toBe(0);
  expect(model.timeline(room)).not.toBe(before);
});

test("the recovery key stays on screen until the person has kept it, whatever the core does meanwhile", async () => {
  const desk = new Desk({
    status: () => ({ phase: "fresh" }),
    signUp: () => ({ phase: "ready", recoveryKey: "KEY" }),
    rooms: () => ({ rooms: [] }),
    people: () => ({ people: [] }),
    devices: () => ({ devices: [] }),
    notices: () => ({ notices: [] }),
    calls: () => ({ calls: [], rings: [] }),
  });
  const model = new Model(desk);
  model.start();
  await model.session.signUp({ token: "t", name: "Ann", password: "long enough", device: "d" });
  desk.say("status", { phase: "ready" });
  expect(model.session.entrance.snapshot().recoveryKey).toBe("KEY");
  model.session.keyIsKept();
  expect(model.session.entrance.snapshot().recoveryKey).toBeUndefined();
});

test("who is signed out from afar is out of the call too, and keeps the chats", async () => {
  const desk = new Desk({
    status: () => ({ phase: "ready" }),
    rooms: () => ({ rooms: [{ id: room, time: 1, title: "Crew", unread: 0 }] }),
    people: () => ({ people: [] }),
    devices: () => ({ devices: [] }),
    notices: () => ({ notices: [] }),
    calls: () => ({ calls: [{ id: "call", room, ended: false }], rings: [] }),
  });
  const model = new Model(desk);
  model.start();
  await vi.waitFor(() => expect(model.calls.list.snapshot().byRoom.size).toBe(1));
  const leave = vi.fn();
  model.calls.live.set({ leave } as never);
  desk.say("status", { phase: "ended" });
  expect(leave).toHaveBeenCalled();
  expect(model.calls.live.snapshot()).toBeUndefined();
  expect(model.calls.list.snapshot().byRoom.size).toBe(0);
  expect(model.rooms.list.snapshot().rooms).toHaveLength(1);
  // Back with the password: what goes on is asked for anew.
  desk.say("status", { phase: "ready" });
  await vi.waitFor(() => expect(model.calls.list.snapshot().byRoom.size).toBe(1));
});
