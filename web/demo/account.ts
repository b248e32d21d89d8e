import type { Device, DeviceID, Notice, Person, RoomID, Status } from "../src/core/api.gen.ts";
import type { CommandName, EventName } from "../src/core/core.ts";
import { day, idOf, later, minute, refused, type Scene } from "./scene.ts";
import type { Words } from "./words.ts";

type AccountCommand = Extract<
  CommandName,
  | "status"
  | "site"
  | "checkLink"
  | "signUp"
  | "signIn"
  | "resetPassword"
  | "changePassword"
  | "recover"
  | "signOut"
  | "newRecoveryKey"
  | "devices"
  | "approveDevice"
  | "rejectDevice"
  | "revokeDevice"
  | "notices"
  | "dismissNotice"
>;

const phases: Partial<Record<Scene, Status["phase"]>> = {
  enrolling: "enrolling",
  ended: "ended",
  setup: "fresh",
  join: "fresh",
  reset: "fresh",
  signIn: "fresh",
  unreachable: "fresh",
};

// FakeAccount is the part of the made-up core that is oneself: the ways in and
// out, the password, one's devices, and what one has to be told. The password
// "wrong" is wrong, and "password" too easy to guess.
export class FakeAccount {
  readonly #emit: (event: EventName, value: unknown) => void;
  readonly #scene: Scene;
  readonly #org: string;
  readonly #people: readonly Person[];
  #status: Status;
  #devices: Device[];
  readonly #notices: readonly Notice[];

  constructor(
    emit: (event: EventName, value: unknown) => void,
    scene: Scene,
    words: Words,
    people: readonly Person[],
    room: RoomID, // that notices speak of
  ) {
    this.#emit = emit;
    this.#scene = scene;
    this.#org = words.org;
    this.#people = people;
    this.#status = {
      phase: phases[scene] ?? "ready",
      connection: scene === "offline" ? "offline" : "online",
      since: Date.now() - (scene === "offline" ? 20_000 : 0),
      org: words.org,
      ...(people[0] ? { me: people[0] } : {}),
      device: idOf("device", 0) as DeviceID,
      ...(scene === "enrolling" ? { code: "K7QP-4MXA-2DTW" } : {}),
      admin: true,
      maxFile: 2_000_000_000,
      calls: true,
      version: "0.1.0",
    };
    this.#devices = words.devices.map((name, n) => ({
      id: idOf("device", n) as DeviceID,
      name,
      state: n === 2 && scene === "pending" ? "pending" : "active",
      this: n === 0,
      online: n === 0,
      created: Date.now() - (40 - n * 9) * day,
      seen: Date.now() - n * 3.2 * 3600_000,
      ...(n === 2 && scene === "pending" ? { code: "K7QP-4MXA-2DTW" } : {}),
    }));
    this.#notices = noticesOf(scene, room);
  }

  readonly answers: { [N in AccountCommand]: (p: never) => unknown } = {
    status: () => this.#status,
    site: () => ({ org: this.#org, ready: true, version: "0.1.0" }),
    checkLink: ({ token }: { token: string }) => this.#link(token),
    signUp: async ({ password }: { password: string }) => {
      await later(600);
      if (password === "password") return refused("guessable", "password");
      this.#enter("ready");
      return { phase: "ready", recoveryKey: "M4TQ7-XK2PA-9RDWE-H6YBN-C3VFL-Z8QSU-J5GKP-T2WXA" };
    },
    signIn: async ({ password }: { password: string }) => {
      await later(500);
      if (password === "wrong") return refused("not_found");
      this.#enter("ready");
      return { phase: "ready" };
    },
    resetPassword: async ({ password }: { password: string }) => {
      await later(500);
      if (password === "password") return refused("guessable", "password");
      if (this.#status.phase === "fresh") this.#enter("enrolling");
      return { phase: this.#status.phase };
    },
    changePassword: async (p: { old: string; new: string }) => {
      await later(300);
      if (p.old === "wrong") return refused("not_found", "old");
      return p.new === "password" ? refused("guessable", "new") : {};
    },
    recover: async () => {
      await later(500);
      return refused("wrong_key");
    },
    signOut: () => this.#enter("fresh"),
    newRecoveryKey: async () => {
      await later(400);
      return { key: "9RDWE-H6YBN-M4TQ7-XK2PA-J5GKP-T2WXA-C3VFL-Z8QSU" };
    },
    devices: () => ({ devices: this.#devices }),
    approveDevice: ({ device }: { device: DeviceID }) => this.#setDevice(device, "active"),
    rejectDevice: ({ device }: { device: DeviceID }) => this.#setDevice(device, undefined),
    revokeDevice: ({ device }: { device: DeviceID }) => this.#setDevice(device, undefined),
    notices: () => ({ notices: this.#notices }),
    dismissNotice: () => ({}),
  };

  #link(token: string): unknown {
    if (this.#scene === "unreachable") return refused("offline");
    if (token !== "DEMO") return refused("not_found");
    const org = this.#org;
    if (this.#scene === "setup") return { kind: "setup", org };
    if (this.#scene === "join") return { kind: "invite", org };
    return { kind: "reset", org, name: this.#people[this.#scene === "resetOther" ? 1 : 0]?.name };
  }

  #enter(phase: Status["phase"]): void {
    this.#status = { ...this.#status, phase, ...(phase === "enrolling" ? { code: "K7QP-4MXA-2DTW" } : {}) };
    this.#emit("status", this.#status);
  }

  #setDevice(id: DeviceID, state: Device["state"] | undefined): void {
    this.#devices = this.#devices.flatMap((d) => (d.id !== id ? [d] : state ? [{ ...d, state }] : []));
    this.#emit("devices", { devices: this.#devices });
  }
}

function noticesOf(scene: Scene, room: RoomID): readonly Notice[] {
  const time = Date.now() - 5 * minute;
  switch (scene) {
    case "restored": {
      const text = "the site was restored; its life began at 2026-05-04T09:12:00Z";
      return [{ id: "n3", code: "site_restored", severe: true, time, text }];
    }
    case "notices": {
      const text = "head at seq 411 is 7c1e…, the log that was read before says 90ab…";
      return [{ id: "n1", code: "log_forked", severe: true, room, time, text }];
    }
    case "news":
      return [
        { id: "n2", code: "new_device", severe: false, time, text: "device edge-on-windows added in statement 4" },
        { id: "n4", code: "password_changed", severe: false, time: time - minute, text: "changed" },
      ];
    default:
      return [];
  }
}
