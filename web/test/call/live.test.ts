import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { bob, callOf, id, me, participant, room, scene } from "./parts.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const stage = (s: ReturnType<typeof scene>) => s.live.state.snapshot().stage;
const tick = (ms = 0) => vi.advanceTimersByTimeAsync(ms);

describe("a call", () => {
  test("is started, rings, and is joined in one go", async () => {
    const s = scene();
    await s.live.enter();
    expect(s.desk.asked("startCall")).toEqual([{ room: room.id, video: false, ring: true }]);
    expect(s.desk.asked("joinCall")).toEqual([{ call: id, offer: "offer {}" }]);
    expect(stage(s)).toMatchObject({ at: "in" });
    expect(s.media.newest.told.map(([what]) => what).slice(0, 2)).toEqual(["keys", "accept"]);
    expect(s.desk.asked("setCallState").at(-1)).toMatchObject({ muted: false, camera: false });
  });

  test("is not made at all where frames cannot be sealed", async () => {
    const s = scene();
    s.live.close();
    const plain = scene({}, {});
    plain.media.canSeal = false;
    const { LiveCall } = await import("../../src/model/call/live.ts");
    const call = new LiveCall(
      { core: plain.desk, media: plain.media, kept: { read: () => ({}), write: () => {} }, sound: () => () => {} },
      { room, video: false, ring: true },
    );
    await call.enter();
    expect(call.state.snapshot().stage).toEqual({ at: "over", over: { why: "unsealed" } });
    expect(plain.desk.calls).toEqual([]);
  });

  test("ends at once when the browser lets frames past what seals them", async () => {
    const s = scene();
    await s.live.enter();
    s.media.newest.state = { ...s.media.newest.state, unsealed: true };
    await tick(1000);
    expect(stage(s)).toEqual({ at: "over", over: { why: "unsealed" } });
    expect(s.media.newest.closed).toBe(true);
    expect(s.media.tracks.every((t) => t.stopped)).toBe(true);
  });

  test("goes on without a microphone, and says that one is not heard", async () => {
    const s = scene();
    s.media.denied = true;
    await s.live.enter();
    expect(stage(s)).toMatchObject({ at: "in" });
    expect(s.live.own.state.snapshot().microphone).toMatchObject({ on: false, trouble: "denied" });
    expect(s.desk.asked("setCallState").at(-1)).toMatchObject({ muted: true });
  });

  test("that was hung up while it began is ended for whom it rings, too", async () => {
    let open: (v: unknown) => void = () => {};
    const s = scene({}, { startCall: () => new Promise((resolve) => (open = resolve)) });
    const entering = s.live.enter();
    await tick();
    s.live.leave();
    open(callOf([]));
    await entering;
    expect(s.desk.asked("leaveCall")).toEqual([{ call: id }]);
    expect(s.desk.asked("joinCall")).toEqual([]);
  });

  test("that could not be made says why", async () => {
    const s = scene(
      {},
      {
        startCall: () => {
          throw "not_allowed";
        },
      },
    );
    await s.live.enter();
    expect(stage(s)).toEqual({ at: "over", over: { why: "failed", code: "not_allowed" } });
  });
});

describe("ringing", () => {
  test("has a tone to wait by, until somebody is there", async () => {
    const s = scene();
    await s.live.enter();
    s.desk.say("ringAnswer", { call: id, account: bob.account, name: "Bob", how: "ringing" });
    expect(s.tunes).toEqual(["wait"]);
    s.desk.say("call", callOf([me, bob]));
    expect(s.tunes).toEqual(["wait", "wait over", "join"]);
  });

  test("ends with who declined, a moment later", async () => {
    const s = scene();
    await s.live.enter();
    s.desk.say("ringAnswer", { call: id, account: bob.account, name: "Bob", how: "declined" });
    expect(stage(s)).toMatchObject({ at: "in" });
    s.desk.say("call", callOf([me])); // whatever else is told meanwhile
    await tick(4000);
    expect(stage(s)).toEqual({ at: "over", over: { why: "declined", name: "Bob" } });
    expect(s.desk.asked("leaveCall")).toHaveLength(1);
  });

  test("in a group, who does not come ends nothing", async () => {
    const s = scene({ room: { ...room, kind: "group" } });
    await s.live.enter();
    s.desk.say("ringAnswer", { call: id, account: bob.account, name: "Bob", how: "none" });
    await tick(5000);
    expect(stage(s)).toMatchObject({ at: "in" });
    expect(s.live.state.snapshot().rung.get(bob.account)?.how).toBe("none");
  });
});

describe("who is in", () => {
  test("a direct call ends when the other hangs up", async () => {
    const s = scene();
    await s.live.enter();
    s.desk.say("call", callOf([me, bob]));
    s.desk.say("call", callOf([me]));
    expect(stage(s)).toEqual({ at: "over", over: { why: "ended" } });
  });

  test("slots are bound to the leaf of who was announced; without a leaf nothing opens", async () => {
    const s = scene({ room: { ...room, kind: "group" } });
    await s.live.enter();
    const ghost = participant(3, { leaf: -1 });
    s.desk.say("call", callOf([me, bob, ghost]));
    s.desk.say("callSlots", {
      call: id,
      slots: [
        { mid: "a", number: 2, source: "microphone", layer: "", paused: false },
        { mid: "b", number: 3, source: "camera", layer: "", paused: false },
        { mid: "c", number: 9, source: "camera", layer: "", paused: false },
      ],
    });
    expect(s.media.newest.last("slots")).toEqual([
      { mid: "a", leaf: 2, source: 0 },
      { mid: "b", leaf: -1, source: 1 },
      { mid: "c", leaf: -1, source: 1 },
    ]);
    s.desk.say("call", callOf([me, { ...bob, leaf: 7 }, ghost]));
    expect(s.media.newest.last("slots")).toContainEqual({ mid: "a", leaf: 7, source: 0 });
  });

  test("word of the slots that comes before the connection is in place is not lost", async () => {
    const slots = [{ mid: "a", number: 2, source: "microphone", layer: "", paused: false }];
    const s = scene(
      {},
      {
        joinCall: () => {
          queueMicrotask(() => s.desk.say("callSlots", { call: id, slots }));
          return {
            number: 1,
            answer: "",
            turn: [],
            call: callOf([me, bob]),
            keys: { leaf: 1, join: 1, epochs: [], leaves: [] },
          };
        },
      },
    );
    await s.live.enter();
    expect(s.media.newest.last("slots")).toEqual([{ mid: "a", leaf: 2, source: 0 }]);
  });

  test("events of other calls are none of its business", async () => {
    const s = scene();
    await s.live.enter();
    s.desk.say("callGone", { call: "another", why: "removed" });
    s.desk.say("call", { ...callOf([]), id: "another", ended: true });
    expect(stage(s)).toMatchObject({ at: "in" });
  });

  test("silence goes unsent only in large calls", async () => {
    const s = scene({ room: { ...room, kind: "group" } });
    await s.live.enter();
    s.desk.say("call", callOf([me, bob]));
    expect(s.media.newest.last("silence")).toBe(false);
    s.desk.say("call", callOf([me, ...Array.from({ length: 8 }, (_, n) => participant(n + 2))]));
    expect(s.media.newest.last("silence")).toBe(true);
  });

  test("a moderator's wish is obeyed and said", async () => {
    const s = scene();
    await s.live.enter();
    s.live.setHand(true);
    s.desk.say("callAsked", { call: id, what: "mute", name: "Eve" });
    s.desk.say("callAsked", { call: id, what: "hand", name: "Eve" });
    expect(s.live.own.state.snapshot().microphone.on).toBe(false);
    expect(s.media.tracks[0]?.enabled).toBe(false);
    expect(s.desk.asked("setCallState").at(-1)).toMatchObject({ muted: true, hand: false });
    expect(s.live.state.snapshot().asked).toMatchObject({ what: "hand", name: "Eve" });
  });

  test("reactions without end leave the screen readable, and fade", async () => {
    const s = scene();
    await s.live.enter();
    for (let n = 0; n < 50; n++) s.desk.say("callReaction", { call: id, number: 2, name: "Bob", emoji: "👏" });
    expect(s.live.state.snapshot().reactions).toHaveLength(12);
    await tick(5001);
    expect(s.live.state.snapshot().reactions).toEqual([]);
  });
});

describe("holding the space bar", () => {
  test("opens a muted microphone for as long as it is held", async () => {
    const s = scene();
    await s.live.enter();
    const track = s.media.tracks[0];
    await s.live.own.setMicrophone(false);
    expect(track?.enabled).toBe(false);
    s.live.own.hold(true);
    expect(track?.enabled).toBe(true);
    expect(s.desk.asked("setCallState").at(-1)).toMatchObject({ muted: false });
    s.live.own.hold(false);
    expect(track?.enabled).toBe(false);
  });

  test("means nothing when one is heard anyway", async () => {
    const s = scene();
    await s.live.enter();
    s.live.own.hold(true);
    s.live.own.hold(false);
    expect(s.media.tracks[0]?.enabled).toBe(true);
  });
});

describe("keys", () => {
  test("the answer that was asked for last counts", async () => {
    const open: ((v: unknown) => void)[] = [];
    const s = scene({}, { callKeys: () => new Promise((resolve) => open.push(resolve)) });
    await s.live.enter();
    s.desk.say("callKeys", { call: id });
    s.desk.say("callKeys", { call: id });
    expect(s.desk.asked("callKeys")).toHaveLength(1); // one at a time
    open[0]?.({ leaf: 1, join: 1, epochs: ["old"], leaves: [] });
    await tick();
    open[1]?.({ leaf: 1, join: 1, epochs: ["new"], leaves: [] });
    await tick();
    expect(s.media.newest.last("keys")).toMatchObject({ epochs: ["new"] });
  });
});

describe("when the connection goes", () => {
  const silent = async (s: ReturnType<typeof scene>) => {
    s.desk.say("call", callOf([me, bob]));
    s.media.newest.state = { ...s.media.newest.state, heard: 10, media: 10 };
    await tick(1000);
  };

  test("ICE begins anew after 3 seconds of silence, and the call goes on", async () => {
    const s = scene();
    await s.live.enter();
    await silent(s);
    await tick(3000);
    expect(stage(s)).toMatchObject({ at: "again" });
    expect(s.desk.asked("offerCall")).toEqual([{ call: id, offer: 'offer {"restart":true}' }]);
    s.media.newest.state = { ...s.media.newest.state, heard: 20, media: 20 };
    await tick(1000);
    expect(stage(s)).toMatchObject({ at: "in" });
    expect(s.desk.asked("joinCall")).toHaveLength(1);
  });

  test("if that does not help it is joined anew, with everything that was on", async () => {
    const s = scene();
    await s.live.enter();
    await silent(s);
    await tick(9000);
    expect(s.desk.asked("joinCall")).toHaveLength(2);
    expect(s.media.lines).toHaveLength(2);
    expect(s.media.lines[0]?.closed).toBe(true);
    expect(s.media.newest.told).toContainEqual(["send", { source: "microphone", track: s.media.tracks[0] }]);
    expect(stage(s)).toMatchObject({ at: "in" });
  });

  test("nobody is missed who has nothing to say", async () => {
    const s = scene();
    await s.live.enter();
    s.desk.say("call", callOf([me, { ...bob, muted: true }]));
    for (let n = 0; n < 20; n++) {
      s.media.newest.state = { ...s.media.newest.state, heard: n }; // checks are answered
      await tick(1000);
    }
    expect(s.desk.asked("offerCall")).toEqual([]);
  });

  test("a server that came back without us is joined at once", async () => {
    let there = true;
    const s = scene({}, { calls: () => ({ calls: there ? [callOf([me])] : [callOf([])], rings: [] }) });
    await s.live.enter();
    s.desk.say("status", { connection: "offline" });
    there = false;
    s.desk.say("status", { connection: "online" });
    await tick(100);
    expect(s.desk.asked("joinCall")).toHaveLength(2);
    expect(stage(s)).toMatchObject({ at: "in" });
  });

  test("after a minute in vain it is over", async () => {
    let away = false;
    const s = scene(
      {},
      {
        joinCall: () => {
          if (away) throw "offline";
          return {
            number: 1,
            answer: "",
            turn: [],
            call: callOf([me]),
            keys: { leaf: 1, join: 1, epochs: [], leaves: [] },
          };
        },
      },
    );
    await s.live.enter();
    away = true;
    s.desk.say("callGone", { call: id, why: "lost" });
    await tick(30_000);
    expect(stage(s)).toMatchObject({ at: "again" });
    await tick(40_000);
    expect(stage(s)).toEqual({ at: "over", over: { why: "lost" } });
  });

  test("who was removed does not come back, and holds nothing any more", async () => {
    const s = scene();
    await s.live.enter();
    s.desk.say("callGone", { call: id, why: "removed" });
    await tick(60_000);
    expect(stage(s)).toEqual({ at: "over", over: { why: "removed" } });
    expect(s.media.newest.closed).toBe(true);
    expect(s.media.tracks.every((t) => t.stopped)).toBe(true);
    expect(s.desk.asked("joinCall")).toHaveLength(1);
  });

  test("another tab that joins takes the call over; our own coming back does not", async () => {
    const s = scene();
    await s.live.enter();
    s.desk.say("callGone", { call: id, why: "replaced" });
    expect(stage(s)).toMatchObject({ at: "in" });
    s.desk.say("call", callOf([{ ...me, number: 7 }]));
    expect(stage(s)).toEqual({ at: "over", over: { why: "elsewhere" } });
    expect(s.desk.asked("leaveCall")).toEqual([]); // that would end the other tab's
  });
});

describe("pictures", () => {
  test("what is on screen is told once, and more places are offered when there is need", async () => {
    const s = scene({ room: { ...room, kind: "group" } });
    await s.live.enter();
    const wanted = (n: number) =>
      Array.from({ length: n }, (_, i) => ({ number: i + 2, source: "camera" as const, height: 200 }));
    s.live.connection.show(wanted(2));
    s.live.connection.show(wanted(2));
    expect(s.desk.asked("viewCall")).toHaveLength(1);
    s.live.connection.show(wanted(6));
    await tick();
    expect(s.desk.asked("offerCall")).toEqual([{ call: id, offer: 'offer {"videoSlots":9}' }]);
    expect(s.desk.asked("viewCall").at(-1)).toMatchObject({ views: { length: 6 } });
  });
});
