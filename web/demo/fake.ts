import type {
  AccountID,
  CallID,
  Device,
  DeviceID,
  Item,
  Notice,
  Outgoing,
  Person,
  Room,
  RoomDetails,
  RoomID,
  Status,
} from "../src/core/api.gen.ts";
import type { Answer, CommandName, Core, EventName, Params, Result } from "../src/core/core.ts";
import { preparePhoto, preparePreview } from "../src/model/photo.ts";
import { FakeCalls } from "./calls.ts";
import { parse } from "./markdown.ts";
import { draw, film } from "./pictures.ts";
import { type Words, words } from "./words.ts";

// Scene is the situation that the made-up core is in.
export type Scene =
  | "main"
  | "plain" // the same with tiny pictures, which are quickly drawn
  | "pictures" // with a film to play
  | "empty"
  | "setup"
  | "join"
  | "signIn"
  | "enrolling"
  | "ended"
  | "offline"
  | "notices"
  | "news"
  | "restored" // from a backup: what was lost, and who is back
  | "pending"
  | "long"
  | "calls" // plain, with a call that goes on in the group and rows of former ones
  | "unsealed" // plain, in a browser that cannot seal frames
  | "unreachable";

const minute = 60_000;
const day = 86_400_000;
const ok = <T>(value: T) => ({ ok: true, value }) as const;
const letters = "abcdefghijklmnopqrstuvwxyz";
const idOf = (kind: string, n: number) => `${kind}${letters[n % 26]}${letters[Math.floor(n / 26)]}`.padEnd(26, "a");

export const roomId = (n: number) => idOf("room", n) as RoomID;
const personId = (n: number) => idOf("person", n) as AccountID;

type Held = Item & { blobs?: Blob[] };

// FakeCore answers like a core with a few weeks of plausible life in it. What
// one sends goes through all states; somebody answers.
export class FakeCore implements Core {
  readonly #hearers = new Map<EventName, Set<(value: never) => void>>();
  readonly #words: Words;
  readonly #scene: Scene;
  readonly #people: Person[];
  readonly #rooms = new Map<RoomID, Room>();
  readonly #members = new Map<RoomID, { person: number; owner: boolean }[]>();
  readonly #timelines = new Map<RoomID, Held[]>();
  readonly calls: FakeCalls;
  #status: Status;
  #devices: Device[] = [];
  #notices: Notice[] = [];
  #count = 0;
  readonly #calling: boolean;
  #roomCount = 0;
  readonly #ready: Promise<void>;

  constructor(scene: Scene, language: "en" | "ru") {
    this.#scene = scene;
    this.#words = words[language];
    this.#people = this.#words.people.map((name, n) => ({
      id: personId(n),
      name,
      me: n === 0,
      shut: false,
      online: [0, 1, 2, 5].includes(n),
      admin: n === 0 || n === 3,
    }));
    this.calls = new FakeCalls(
      (event, value) => this.emit(event, value),
      this.#people,
      (room) => (this.#members.get(room) ?? [{ person: 2 }]).map((m) => m.person).filter((n) => n > 0),
    );
    const phase = {
      enrolling: "enrolling",
      ended: "ended",
      setup: "fresh",
      join: "fresh",
      signIn: "fresh",
      unreachable: "fresh",
    };
    this.#status = {
      phase: (phase[scene as keyof typeof phase] ?? "ready") as Status["phase"],
      connection: scene === "offline" ? "offline" : "online",
      since: Date.now() - (scene === "offline" ? 20_000 : 0),
      org: this.#words.org,
      ...(this.#people[0] ? { me: this.#people[0] } : {}),
      device: idOf("device", 0) as DeviceID,
      ...(scene === "enrolling" ? { code: "K7QP-4MXA-2DTW" } : {}),
      admin: true,
      maxFile: 2_000_000_000,
      calls: true,
      version: "0.1.0",
    };
    this.#devices = this.#words.devices.map((name, n) => ({
      id: idOf("device", n) as DeviceID,
      name,
      state: n === 2 && scene === "pending" ? "pending" : "active",
      this: n === 0,
      online: n === 0,
      created: Date.now() - (40 - n * 9) * day,
      seen: Date.now() - n * 3.2 * 3600_000,
      ...(n === 2 && scene === "pending" ? { code: "K7QP-4MXA-2DTW" } : {}),
    }));
    this.#calling = scene === "calls";
    if (scene === "notices" || scene === "news" || scene === "restored")
      this.#notices = this.#someNotices(scene !== "news");
    this.#ready = scene === "empty" ? Promise.resolve() : this.#live();
  }

  on<E extends EventName>(event: E, hear: (value: never) => void): () => void {
    const set = this.#hearers.get(event) ?? new Set();
    this.#hearers.set(event, set.add(hear));
    return () => set.delete(hear);
  }

  onRestart(): () => void {
    return () => {};
  }

  async call<N extends CommandName>(name: N, params: Params<N>, blobs?: readonly Blob[]): Promise<Result<Answer<N>>> {
    await this.#ready;
    const answer = { ...this.#answers, ...this.calls.answers }[name] as (
      p: unknown,
      blobs?: readonly Blob[],
    ) => unknown;
    const value = await answer.call(this, params, blobs);
    if (value && typeof value === "object" && "code" in value && "ok" in value) {
      return { ok: false, failure: { code: value.code } } as Result<Answer<N>>;
    }
    return ok(value ?? {}) as Result<Answer<N>>;
  }

  emit(event: EventName, value: unknown): void {
    for (const hear of this.#hearers.get(event) ?? []) (hear as (v: unknown) => void)(value);
  }

  // say lets somebody write in a room.
  say(room: RoomID, person: number, text: string): void {
    this.#add(room, this.#message(room, person, text, Date.now()));
  }

  typing(room: RoomID, person: number): void {
    const who = this.#people[person];
    if (who) this.emit("typing", { room, account: who.id, name: who.name, until: Date.now() + 600_000 });
  }

  readonly #answers: {
    [N in Exclude<CommandName, keyof FakeCalls["answers"]>]: (p: never, blobs?: readonly Blob[]) => unknown;
  } = {
    status: () => this.#status,
    site: () => ({ org: this.#words.org, ready: true, version: "0.1.0" }),
    checkLink: ({ token }: { token: string }) =>
      this.#scene === "unreachable"
        ? { ok: false, code: "offline" }
        : token === "DEMO"
          ? { kind: this.#scene === "setup" ? "setup" : "invite", org: this.#words.org }
          : { ok: false, code: "not_found" },
    signUp: async () => {
      await later(600);
      this.#enter("ready");
      return { phase: "ready", recoveryKey: "M4TQ7-XK2PA-9RDWE-H6YBN-C3VFL-Z8QSU-J5GKP-T2WXA" };
    },
    signIn: async ({ password }: { password: string }) => {
      await later(500);
      if (password === "wrong") return { ok: false, code: "not_found" };
      this.#enter("ready");
      return { phase: "ready" };
    },
    recover: async () => {
      await later(500);
      return { ok: false, code: "wrong_key" };
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
    people: () => ({ people: this.#scene === "empty" ? this.#people.slice(0, 1) : this.#people }),
    resetPassword: () => ({ ok: false, code: "not_found" }),
    changePassword: () => ({}),
    prove: () => ({}),
    makeResetLink: () => ({ ok: false, code: "prove" }),
    shutAccount: () => ({ ok: false, code: "prove" }),
    openAccount: () => ({ ok: false, code: "prove" }),
    endSessions: () => ({ ok: false, code: "prove" }),
    setAdmin: () => ({ ok: false, code: "prove" }),
    createInvite: async () => {
      await later(200);
      return {
        link: "https://veche.example.org:8443/join#KJ4XQ2MNT7PLAW3EZC6RVB5YHD",
        token: "x",
        expires: Date.now() + 7 * day,
      };
    },
    notices: () => ({ notices: this.#notices }),
    dismissNotice: () => ({}),
    rooms: () => ({ rooms: [...this.#rooms.values()] }),
    room: ({ room }: { room: RoomID }) => this.#details(room),
    openDirect: ({ person }: { person: AccountID }) =>
      [...this.#rooms.values()].find((r) => r.peer === person) ?? this.#newRoom("direct", this.#nameOf(person), person),
    createGroup: async ({ name, members }: { name: string; members: AccountID[] }) => {
      await later(300);
      const room = this.#newRoom("group", name);
      this.#members.set(room.id, [
        { person: 0, owner: true },
        ...members.map((m) => ({ person: this.#people.findIndex((p) => p.id === m), owner: false })),
      ]);
      this.#put({ ...room, members: members.length + 1 });
      this.#add(
        room.id,
        this.#change(room.id, Date.now(), { kind: "created", by: this.#nameOf(personId(0)), me: true, name }),
      );
      return this.#rooms.get(room.id);
    },
    renameRoom: ({ room, name }: { room: RoomID; name: string }) => {
      this.#patch(room, { title: name, named: true });
      this.#add(
        room,
        this.#change(room, Date.now(), { kind: "renamed", by: this.#nameOf(personId(0)), me: true, name }),
      );
    },
    addMembers: async ({ room, members }: { room: RoomID; members: AccountID[] }) => {
      await later(300);
      this.#members
        .get(room)
        ?.push(...members.map((m) => ({ person: this.#people.findIndex((p) => p.id === m), owner: false })));
      this.#patch(room, { members: this.#members.get(room)?.length ?? 1 });
      const who = members.map((m) => this.#nameOf(m));
      this.#add(room, this.#change(room, Date.now(), { kind: "added", by: this.#nameOf(personId(0)), me: true, who }));
    },
    removeMember: async ({ room, member }: { room: RoomID; member: AccountID }) => {
      await later(300);
      const left = (this.#members.get(room) ?? []).filter((m) => personId(m.person) !== member);
      this.#members.set(room, left);
      this.#patch(room, { members: left.length });
      this.#add(
        room,
        this.#change(room, Date.now(), {
          kind: "removed",
          by: this.#nameOf(personId(0)),
          me: true,
          who: [this.#nameOf(member)],
        }),
      );
    },
    setOwner: ({ room, member, owner }: { room: RoomID; member: AccountID; owner: boolean }) => {
      for (const m of this.#members.get(room) ?? []) if (personId(m.person) === member) m.owner = owner;
      this.#patch(room, {});
    },
    acceptRoom: ({ room, members }: { room: RoomID; members: readonly AccountID[] }) =>
      this.#patch(room, { back: this.#rooms.get(room)?.back?.filter(({ id }) => !members.includes(id)) ?? [] }),
    leaveRoom: ({ room }: { room: RoomID }) => this.#patch(room, { state: "left" }),
    typing: () => ({}),
    markRead: ({ room }: { room: RoomID; seq: number }) => this.#patch(room, { unread: 0 }),
    lookAway: () => ({}),
    saveDraft: ({ room, text }: { room: RoomID; text: string }) => this.#patch(room, { draft: text }),
    timeline: (w: { room: RoomID; before?: number; after?: number; unread?: boolean; limit?: number }) =>
      this.#window(w),
    send: (out: Outgoing, blobs?: readonly Blob[]) => this.#send(out, blobs ?? []),
    retry: ({ room, id }: { room: RoomID; id: string }) => this.#travel(room, id),
    drop: ({ room, id }: { room: RoomID; id: string }) => this.#gone(room, id),
    edit: ({ room, id, text }: { room: RoomID; id: string; text: string }) =>
      this.#change1(room, id, { text, rich: parse(text), edited: true }),
    delete: ({ room, id }: { room: RoomID; id: string }) =>
      this.#change1(room, id, { kind: "deleted", text: "", files: [] }),
    openFile: async ({ room, id, index }: { room: RoomID; id: string; index: number }) => {
      await later(150);
      const item = this.#timelines.get(room)?.find((i) => i.id === id);
      const blob = item?.blobs?.[index] ?? new Blob(["made up"]);
      const file = item?.files?.[index];
      return { name: file?.name ?? "file", type: file?.type ?? "", size: blob.size, blob };
    },
    cancelFile: () => ({}),
  };

  #enter(phase: Status["phase"]): void {
    this.#status = { ...this.#status, phase };
    this.emit("status", this.#status);
  }

  #setDevice(id: DeviceID, state: Device["state"] | undefined): void {
    this.#devices = this.#devices.flatMap((d) => (d.id !== id ? [d] : state ? [{ ...d, state }] : []));
    this.emit("devices", { devices: this.#devices });
  }

  #nameOf(id: AccountID): string {
    return this.#people.find((p) => p.id === id)?.name ?? "";
  }

  #put(room: Room): void {
    this.#rooms.set(room.id, room);
    this.emit("rooms", { rooms: [room], gone: [] });
  }

  #patch(id: RoomID, part: Partial<Room>): void {
    const room = this.#rooms.get(id);
    if (room) this.#put({ ...room, ...part });
  }

  #newRoom(kind: Room["kind"], title: string, peer?: AccountID): Room {
    const room: Room = {
      id: roomId(++this.#roomCount),
      kind,
      state: "open",
      title,
      named: kind === "group",
      ...(peer && peer !== personId(0) ? { peer } : {}),
      self: peer === personId(0),
      role: "owner",
      members: 2,
      time: Date.now(),
      unread: 0,
      seq: 0,
      read: 0,
      queued: 0,
      failed: 0,
    };
    this.#timelines.set(room.id, []);
    return room;
  }

  #message(room: RoomID, person: number, text: string, time: number, more: Partial<Held> = {}): Held {
    const n = (this.#timelines.get(room)?.at(-1)?.order ?? 0) + 1;
    const mine = person === 0;
    return {
      id: `${room} ${n} ${++this.#count}`,
      order: n,
      seq: n,
      kind: "message",
      from: personId(person),
      name: this.#people[person]?.name ?? "",
      mine,
      state: mine ? "delivered" : "received",
      time,
      text,
      rich: parse(text),
      ...more,
    };
  }

  #change(room: RoomID, time: number, change: NonNullable<Item["change"]>): Held {
    return this.#message(room, 0, "", time, { kind: "change", mine: false, change, rich: [] });
  }

  #add(room: RoomID, item: Held): void {
    const timeline = this.#timelines.get(room) ?? [];
    this.#timelines.set(room, timeline);
    timeline.push(item);
    this.#summary(room);
    this.emit("timeline", { room, items: [bare(item)], gone: [] });
  }

  #summary(id: RoomID, unread?: number): void {
    const timeline = this.#timelines.get(id) ?? [];
    const last = timeline.at(-1);
    const room = this.#rooms.get(id);
    if (!room || !last) return;
    this.#put({
      ...room,
      time: last.time,
      seq: last.seq,
      unread: unread ?? room.unread,
      failed: timeline.some((i) => i.state === "failed") ? 1 : 0,
      last: {
        ...(last.from ? { from: last.from } : {}),
        name: last.name,
        mine: last.mine,
        text: last.text.replace(/[*`]|\[|\]\([^)]*\)/g, ""),
        files: last.files?.length ?? 0,
        photo: last.files?.[0]?.type.startsWith("image/") ?? false,
        state: last.state,
        ...(last.call ? { call: last.call } : {}),
        ...(last.change ? { change: last.change } : {}),
      },
    });
  }

  #change1(room: RoomID, id: string, part: Partial<Held>): void {
    const timeline = this.#timelines.get(room) ?? [];
    const n = timeline.findIndex((i) => i.id === id);
    const item = timeline[n];
    if (!item) return;
    const changed = { ...item, ...part };
    timeline[n] = changed;
    this.#summary(room);
    this.emit("timeline", { room, items: [bare(changed)], gone: [] });
  }

  #gone(room: RoomID, id: string): void {
    this.#timelines.set(
      room,
      (this.#timelines.get(room) ?? []).filter((i) => i.id !== id),
    );
    this.#summary(room);
    this.emit("timeline", { room, items: [], gone: [id] });
  }

  #window(w: { room: RoomID; before?: number; after?: number; unread?: boolean; limit?: number }): unknown {
    const all = this.#timelines.get(w.room) ?? [];
    const limit = w.limit || 60;
    const unread = this.#rooms.get(w.room)?.unread ?? 0;
    const firstUnread = unread > 0 ? all[all.length - unread]?.id : undefined;
    let from = Math.max(0, all.length - limit);
    if (w.before !== undefined) {
      const end = all.findIndex((i) => i.order >= (w.before ?? 0));
      from = Math.max(0, end - limit);
      return { room: w.room, items: all.slice(from, end).map(bare), older: from > 0, newer: true };
    }
    if (w.after !== undefined) from = all.findIndex((i) => i.order > (w.after ?? 0));
    else if (w.unread && unread > 0) from = Math.max(0, all.length - unread - Math.floor(limit / 2));
    const items = all.slice(from, from + limit).map(bare);
    return {
      room: w.room,
      items,
      older: from > 0,
      newer: from + limit < all.length,
      ...(firstUnread ? { firstUnread } : {}),
    };
  }

  #details(id: RoomID): RoomDetails | object {
    const room = this.#rooms.get(id);
    if (!room) return { ok: false, code: "not_found" };
    const members = (this.#members.get(id) ?? []).flatMap(({ person, owner }, n) => {
      const who = this.#people[person];
      return who ? [{ person: who, role: owner ? ("owner" as const) : ("member" as const), devices: 1 + (n % 3) }] : [];
    });
    return {
      room,
      members,
      epoch: 17,
      suite: "MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519",
      code: "7KQ2-MX4A-PDTW-9RBE-H6YN",
    };
  }

  async #send(out: Outgoing, blobs: readonly Blob[]): Promise<unknown> {
    await later(60);
    let id = out.room;
    if (!id && out.person) {
      const room =
        [...this.#rooms.values()].find((r) => r.peer === out.person) ??
        this.#newRoom("direct", this.#nameOf(out.person), out.person);
      id = room.id;
      this.#put(room);
    }
    if (!id) return { ok: false, code: "bad_input" };
    if (!this.#rooms.has(id)) this.#put({ ...this.#newRoom("direct", ""), id });
    const quoted = this.#timelines.get(id)?.find((i) => i.id === out.reply);
    const files = (out.files ?? []).map(({ source: _, ...f }, n) => ({ ...f, size: blobs[n]?.size ?? 0, here: true }));
    const item = this.#message(id, 0, out.text ?? "", Date.now(), {
      seq: 0,
      state: "saved",
      files,
      blobs: [...blobs],
      ...(quoted ? { reply: { id: quoted.id, seq: quoted.seq, name: quoted.name, text: quoted.text } } : {}),
    });
    this.#add(id, item);
    void this.#travel(id, item.id);
    return { room: id, id: item.id };
  }

  async #travel(room: RoomID, id: string): Promise<void> {
    if (this.#scene === "offline") return;
    const item = () => this.#timelines.get(room)?.find((i) => i.id === id);
    const files = item()?.files ?? [];
    this.#change1(room, id, { state: "saved" });
    for (let step = 0; files.length > 0 && step < 10; step++) {
      await later(120);
      if (!item()) return;
      this.#change1(room, id, {
        files: files.map((f) => ({ ...f, transfer: { done: f.size * (step / 10), total: f.size } })),
      });
    }
    await later(300);
    this.#change1(room, id, { state: "sent", seq: item()?.order ?? 0, files });
    await later(700);
    this.#change1(room, id, { state: "delivered" });
  }

  #someNotices(severe: boolean): Notice[] {
    const at = Date.now() - 5 * minute;
    if (this.#scene === "restored") {
      const text = "the site was restored; its life began at 2026-05-04T09:12:00Z";
      return [{ id: "n3", code: "site_restored", severe: true, time: at, text }];
    }
    return severe
      ? [
          {
            id: "n1",
            code: "log_forked",
            severe: true,
            room: roomId(1),
            time: at,
            text: "head at seq 411 is 7c1e…, the log that was read before says 90ab…",
          },
        ]
      : [
          {
            id: "n2",
            code: "new_device",
            severe: false,
            time: at,
            text: "device edge-on-windows added in statement 4",
          },
        ];
  }

  // callRows are calls as a room's timeline keeps them.
  #callRows(room: RoomID, time: number, who: readonly number[]): void {
    const people = who.map((n) => this.#people[n]?.name ?? "");
    const call = { call: "" as CallID, video: false, ring: true, live: false, seconds: 0, people, missed: false };
    const rows: [number, Item["call"]][] = [
      [who[0] ?? 0, { ...call, seconds: 1934, end: "ended" }],
      [0, { ...call, video: true, people: [], end: "none" }],
      [who[0] ?? 0, { ...call, people: [], end: "cancelled", missed: true }],
    ];
    rows.forEach(([from, row], n) => {
      const item = this.#message(room, from, "", time + n * minute, { kind: "call" });
      this.#timelines.get(room)?.push({ ...item, ...(row ? { call: row } : {}) });
    });
  }

  // live fills the rooms.
  async #live(): Promise<void> {
    const w = this.#words;
    const now = Date.now();
    const start = now - 3 * day;
    const photo = async (scene: Parameters<typeof draw>[0], pw: number, ph: number, name: string) => {
      const small = ["main", "pictures"].includes(this.#scene) ? 1 : 20;
      const made = await preparePhoto(
        new File([await draw(scene, pw / small, ph / small)], `${name}.webp`, { type: "image/webp" }),
      );
      if (!made) throw new Error("no photo");
      return { blob: made.blob, file: { ...made.about, size: made.blob.size, here: true } };
    };
    const [lake, hall, plan, dusk] = await Promise.all([
      photo("lake", 1000, 667, "IMG_2041"),
      photo("hall", 800, 1000, "IMG_2042"),
      photo("plan", 1000, 750, "plan"),
      photo("dusk", 1000, 667, "IMG_2043"),
    ]);

    // The group, id 1.
    const group = this.#newRoom("group", w.group);
    this.#rooms.set(group.id, group);
    this.#members.set(
      group.id,
      [0, 1, 2, 3, 4, ...(this.#calling ? [5, 6, 7] : [])].map((person) => ({
        person,
        owner: person === 0 || person === 3,
      })),
    );
    const t = this.#timelines.get(group.id) ?? [];
    const push = (item: Held) => t.push(item);
    if (this.#scene === "long") {
      for (let n = 0; n < 2000; n++) {
        push(
          this.#message(
            group.id,
            n % 4,
            `${w.old} ${n}${n % 7 === 0 ? `\n${w.link}` : ""}`,
            start - (2000 - n) * 4 * minute,
          ),
        );
      }
    } else {
      push(this.#message(group.id, 0, "", start - 2 * minute, { kind: "start", mine: false }));
    }
    push(this.#change(group.id, start, { kind: "created", by: this.#nameOf(personId(3)), me: false, name: w.group }));
    push(
      this.#change(group.id, start + minute, {
        kind: "added",
        by: this.#nameOf(personId(3)),
        me: false,
        who: [w.people[0] ?? "", w.people[1] ?? "", w.people[4] ?? ""],
        you: true,
      }),
    );
    const times = [-1490, -1489, -1480, -1478, -1300, -1290, -52, -38, -36, -4];
    w.chat.forEach(([who, text], n) => {
      const time = now + (times[n] ?? 0) * minute;
      const more: Partial<Held> = {};
      if (n === 6) Object.assign(more, { files: [plan.file], blobs: [plan.blob] });
      if (n === 3) Object.assign(more, { edited: true });
      if (n === 8) {
        const q = t.at(-1);
        Object.assign(more, {
          reply: { id: q?.id ?? "", seq: 1, name: q?.name ?? "", text: w.chat[7]?.[1]?.replaceAll("`", "") ?? "" },
        });
      }
      push(this.#message(group.id, who, text, time, more));
      if (n === 8) {
        push(
          this.#message(group.id, 1, "", time + 1000, {
            files: [
              { name: w.file, type: "application/vnd.oasis.opendocument.spreadsheet", size: 148_213, here: false },
            ],
          }),
        );
      }
    });
    if (this.#calling) {
      this.#callRows(group.id, now - 3 * minute, [3, 1, 2]);
      this.calls.live(group.id, [3, 1, 2, 4], now - 754_000, true);
    }
    const back = this.#scene === "restored" ? { back: [{ id: personId(4), name: w.people[4] ?? "" }] } : {};
    this.#rooms.set(group.id, { ...group, ...back, members: this.#members.get(group.id)?.length ?? 1 });
    if (this.#scene === "restored") {
      const held = this.#timelines.get(group.id) ?? [];
      this.#timelines.set(
        group.id,
        held.map((i, n) => (n < held.length - 3 ? i : { ...i, alone: true, seq: 0 })),
      );
    }
    this.#summary(group.id);

    // A direct room with pictures, everything that can happen to a message, id 2.
    const direct = this.#newRoom("direct", w.people[2] ?? "", personId(2));
    this.#rooms.set(direct.id, direct);
    const d = this.#timelines.get(direct.id) ?? [];
    const minutes = (n: number) => now - n * minute;
    d.push(this.#message(direct.id, 2, w.directs[1] ?? "", minutes(1500)));
    d.push(this.#message(direct.id, 2, w.link, minutes(1499)));
    d.push(
      this.#message(direct.id, 0, "", minutes(180), {
        files: [dusk.file, hall.file, lake.file],
        blobs: [dusk.blob, hall.blob, lake.blob],
      }),
    );
    d.push(this.#message(direct.id, 2, "", minutes(170), { kind: "deleted", text: "" }));
    d.push(this.#message(direct.id, 2, "❤️", minutes(169)));
    d.push(this.#message(direct.id, 2, w.photoWords, minutes(60), { files: [lake.file], blobs: [lake.blob] }));
    const video = this.#scene === "pictures" ? await film(640, 360, 900) : undefined;
    if (video) {
      const shape = await preparePreview(new File([video], "clip.webm", { type: "video/webm" }));
      d.push(
        this.#message(direct.id, 0, "", minutes(42), {
          files: [
            { name: "clip.webm", type: "video/webm", size: video.size, here: true, ...shape, width: 640, height: 360 },
          ],
          blobs: [video],
        }),
      );
    }
    d.push(this.#message(direct.id, 2, "", minutes(40), { kind: "unopenable" }));
    d.push(this.#message(direct.id, 0, w.directs[2] ?? "", minutes(12), { state: "sent" }));
    d.push(
      this.#message(direct.id, 0, w.directs[0] ?? "", minutes(11), { state: "failed", fail: "too_large", seq: 0 }),
    );
    d.push(
      this.#message(direct.id, 0, "", minutes(1), {
        state: "saved",
        seq: 0,
        files: [
          {
            name: w.file,
            type: "application/pdf",
            size: 8_400_000,
            here: true,
            transfer: { done: 5_100_000, total: 8_400_000 },
          },
        ],
      }),
    );
    if (this.#calling) this.#callRows(direct.id, now - 55_000, [2, 0]);
    this.#summary(direct.id);

    // Others, for the list.
    const rest: [number, number, number][] = [
      [1, 5, 3],
      [4, 95, 0],
      [5, 260, 0],
      [6, 1600, 12],
      [7, 3100, 0],
      [8, 7100, 0],
      [9, 16_000, 0],
    ];
    rest.forEach(([person, before, unread], n) => {
      const room = this.#newRoom("direct", w.people[person] ?? "", personId(person));
      this.#rooms.set(room.id, room);
      const line = this.#timelines.get(room.id) ?? [];
      for (let i = 0; i < 15; i++)
        line.push(
          this.#message(
            room.id,
            i % 3 === 0 ? 0 : person,
            w.directs[(i * 3 + n) % 5] ?? "",
            minutes(before + (15 - i) * 9),
          ),
        );
      line.push(this.#message(room.id, n % 3 === 2 ? 0 : person, w.directs[n % 5] ?? "", minutes(before)));
      this.#summary(room.id, unread);
      if (person === 4) this.#patch(room.id, { draft: w.draft });
    });
    w.groups.forEach((title, n) => {
      const room = this.#newRoom("group", title);
      this.#rooms.set(room.id, {
        ...room,
        members: 4,
        role: "member",
        state: n === 2 ? "left" : n === 1 && this.#scene === "notices" ? "blocked" : "open",
      });
      this.#members.set(
        room.id,
        [0, 3, 6, 7].map((person) => ({ person, owner: person === 3 })),
      );
      const line = this.#timelines.get(room.id) ?? [];
      line.push(this.#message(room.id, 3, w.directs[4] ?? "", minutes(400 + n * 2900)));
      if (n === 0)
        line.push(
          this.#change(room.id, minutes(390), { kind: "renamed", by: w.people[3] ?? "", me: false, name: title }),
        );
      this.#summary(room.id, n === 1 ? 128 : 0);
    });
    const self = this.#newRoom("direct", w.people[0] ?? "", personId(0));
    this.#rooms.set(self.id, self);
    this.#timelines.get(self.id)?.push(this.#message(self.id, 0, w.file, minutes(9000)));
    this.#summary(self.id);
  }
}

function bare({ blobs: _, ...item }: Held): Item {
  return item;
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
