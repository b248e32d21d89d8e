import type {
  AccountID,
  Call,
  CallEmoji,
  CallID,
  CallKeys,
  CallParticipant,
  CallView,
  DeviceID,
  JoinedCall,
  OwnCallState,
  RoomID,
} from "../src/core/api.gen.ts";
import type { CommandName, EventName } from "../src/core/core.ts";

type CallCommand = Extract<
  CommandName,
  | "calls"
  | "startCall"
  | "joinCall"
  | "offerCall"
  | "leaveCall"
  | "callKeys"
  | "viewCall"
  | "setCallState"
  | "reactInCall"
  | "muteInCall"
  | "lowerHand"
  | "removeFromCall"
  | "ringPeople"
  | "declineCall"
  | "callLink"
  | "knock"
  | "admit"
  | "refuseKnock"
  | "tryCall"
>;

/** Somebody of the made-up site, as calls need them. */
export interface Somebody {
  readonly id: AccountID;
  readonly name: string;
}

const noKeys: CallKeys = { leaf: 0, join: 0, epochs: [], leaves: [] };

// FakeCalls is the part of the made-up core that calls: who starts or joins a
// call finds the others in it.
export class FakeCalls {
  readonly #emit: (event: EventName, value: unknown) => void;
  readonly #people: readonly Somebody[];
  readonly #calls = new Map<CallID, Call>();
  readonly #others: (room: RoomID) => readonly number[];
  #count = 0;

  constructor(
    emit: (event: EventName, value: unknown) => void,
    people: readonly Somebody[],
    others: (room: RoomID) => readonly number[], // who joins besides oneself, by number
  ) {
    this.#emit = emit;
    this.#people = people;
    this.#others = others;
  }

  // live is a call that goes on in a room without this device.
  live(room: RoomID, people: readonly number[], started: number, video = false): Call {
    const by = this.#people[people[0] ?? 0];
    return this.#put({
      id: `call${"abcdefghijklmnop"[this.#count++]}`.padEnd(26, "a") as CallID,
      room,
      by: by?.id ?? ("" as AccountID),
      name: by?.name ?? "",
      started,
      video,
      count: people.length,
      people: people.map((n) => this.#participant(n, started)),
      me: 0,
      elsewhere: false,
      ended: false,
    });
  }

  // change replaces parts of a participant, as their own words would.
  change(call: CallID, number: number, part: Partial<CallParticipant>): void {
    const c = this.#calls.get(call);
    if (c) this.#put({ ...c, people: c.people.map((p) => (p.number === number ? { ...p, ...part } : p)) });
  }

  readonly answers: { [N in CallCommand]: (p: never) => unknown } = {
    calls: () => ({ calls: [...this.#calls.values()], rings: [] }),
    startCall: ({ room, video }: { room: RoomID; video: boolean }) =>
      [...this.#calls.values()].find((c) => c.room === room) ?? this.live(room, this.#others(room), Date.now(), video),
    joinCall: ({ call }: { call: CallID }) => this.#join(call),
    offerCall: () => ({ answer: "" }),
    leaveCall: ({ call }: { call: CallID }) => this.#leave(call),
    callKeys: () => noKeys,
    viewCall: ({ call, views }: CallView) => {
      const slots = views.map((v) => ({ ...v, paused: false }));
      queueMicrotask(() => this.#emit("callSlots", { call, slots }));
    },
    setCallState: ({ call, muted, camera, screen, hand }: OwnCallState) =>
      this.change(call, this.#calls.get(call)?.me ?? 0, { muted, camera, screen, hand: hand ? Date.now() : 0 }),
    reactInCall: ({ call, emoji }: CallEmoji) => {
      const c = this.#calls.get(call);
      this.#emit("callReaction", { call, number: c?.me ?? 0, name: this.#people[0]?.name ?? "", emoji });
    },
    muteInCall: ({ call, number }: { call: CallID; number: number }) => this.change(call, number, { muted: true }),
    lowerHand: ({ call, number }: { call: CallID; number: number }) => this.change(call, number, { hand: 0 }),
    removeFromCall: ({ call, account }: { call: CallID; account: AccountID }) => {
      const c = this.#calls.get(call);
      if (c)
        this.#put(
          withPeople(
            c,
            c.people.filter((p) => p.account !== account),
          ),
        );
    },
    ringPeople: ({ call, accounts }: { call: CallID; accounts: AccountID[] }) => {
      for (const account of accounts) {
        const name = this.#people.find((p) => p.id === account)?.name ?? "";
        this.#emit("ringAnswer", { call, account, name, how: "ringing" });
      }
    },
    declineCall: ({ call }: { call: CallID }) => this.#emit("ringEnd", { call, why: "declined" }),
    callLink: () => ({ link: "/call/cccccccccccccccccccccccccc#JX4QK2MNT7PLAW3EZC6RVB5YHD" }),
    knock: () => ({}),
    admit: () => ({}),
    refuseKnock: () => ({}),
    tryCall: () => ({ answer: "", turn: [] }),
  };

  #join(id: CallID): JoinedCall | object {
    const call = this.#calls.get(id);
    if (!call) return { ok: false, code: "not_found" };
    const number = 1 + Math.max(0, ...call.people.map((p) => p.number));
    const me = { ...this.#participant(0, Date.now()), number, me: true, owner: true };
    const joined = this.#put({ ...withPeople(call, [...call.people, me]), me: number, code: "4821 0937 5566 1204" });
    return { number, answer: "", turn: [], call: joined, keys: noKeys } satisfies JoinedCall;
  }

  #leave(id: CallID): void {
    const call = this.#calls.get(id);
    if (!call) return;
    const { code: _, ...rest } = withPeople(
      call,
      call.people.filter((p) => !p.me),
    );
    if (rest.count > 1) this.#put({ ...rest, me: 0 });
    else {
      this.#calls.delete(id);
      this.#emit("call", { ...rest, me: 0, ended: true });
    }
  }

  #put(call: Call): Call {
    this.#calls.set(call.id, call);
    this.#emit("call", call);
    return call;
  }

  #participant(n: number, joined: number): CallParticipant {
    const who = this.#people[n];
    return {
      number: n + 1,
      account: who?.id ?? ("" as AccountID),
      device: `device${n}`.padEnd(26, "a") as DeviceID,
      name: who?.name ?? "",
      leaf: n,
      me: false,
      owner: n === 3,
      away: false,
      joined,
      known: true,
      muted: n % 3 === 2,
      camera: n % 4 !== 0,
      screen: false,
      hand: 0,
    };
  }
}

function withPeople(call: Call, people: readonly CallParticipant[]): Call {
  return { ...call, people, count: people.length };
}
