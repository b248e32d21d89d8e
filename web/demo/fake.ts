import type { AccountID, CallID, Item, Outgoing, Person, Room, RoomDetails, RoomID } from "../src/core/api.gen.ts";
import type { Answer, CommandName, Core, EventName, Params, Result } from "../src/core/core.ts";
import { preparePhoto, preparePreview } from "../src/model/photo.ts";
import { FakeAccount } from "./account.ts";
import { FakeCalls } from "./calls.ts";
import { parse } from "./markdown.ts";
import { FakePeople } from "./people.ts";
import { draw, film } from "./pictures.ts";
import { day, idOf, later, minute, personId, refused, type Scene } from "./scene.ts";
import { type Words, words } from "./words.ts";

const ok = <T>(value: T) => ({ ok: true, value }) as const;

export const roomId = (n: number) => idOf("room", n) as RoomID;

type Held = Item & { blobs?: Blob[] };

// FakeCore answers like a core with a few weeks of plausible life in it. What
// one sends goes through all states; somebody answers.
export class FakeCore implements Core {
  readonly #hearers = new Map<EventName, Set<(value: never) => void>>();
  readonly #words: Words;
  readonly #scene: Scene;
  readonly #people: readonly Person[];
  readonly #rooms = new Map<RoomID, Room>();
  readonly #members = new Map<RoomID, { person: number; owner: boolean }[]>();
  readonly #timelines = new Map<RoomID, Held[]>();
  readonly calls: FakeCalls;
  readonly #account: FakeAccount;
  readonly #everybody: FakePeople;
  #count = 0;
  readonly #calling: boolean;
  #roomCount = 0;
  readonly #ready: Promise<void>;

  constructor(scene: Scene, language: "en" | "ru") {
    this.#scene = scene;
    this.#words = words[language];
    const emit = (event: EventName, value: unknown) => this.emit(event, value);
    this.#everybody = new FakePeople(emit, scene, this.#words);
    this.#people = this.#everybody.list;
    this.#account = new FakeAccount(emit, scene, this.#words, this.#people, roomId(1));
    this.calls = new FakeCalls(emit, this.#people, (room) =>
      (this.#members.get(room) ?? [{ person: 2 }]).map((m) => m.person).filter((n) => n > 0),
    );
    this.#calling = scene === "calls";
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
    const parts = { ...this.#answers, ...this.#account.answers, ...this.#everybody.answers, ...this.calls.answers };
    const answer = parts[name] as (p: unknown, blobs?: readonly Blob[]) => unknown;
    const value = await answer.call(this, params, blobs);
    if (value && typeof value === "object" && "code" in value && "ok" in value) {
      const { ok: _, ...failure } = value;
      return { ok: false, failure } as Result<Answer<N>>;
    }
    return ok(value ?? {}) as Result<Answer<N>>;
  }

  emit(event: EventName, value: unknown): void {
    for (const hear of this.#hearers.get(event) ?? []) (hear as (v: unknown) => void)(value);
  }

  everybody(n: number): Person | undefined {
    return this.#people[n];
  }

  // alone leaves one administrator.
  alone(): void {
    this.#everybody.alone();
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
    [N in Exclude<
      CommandName,
      keyof FakeAccount["answers"] | keyof FakePeople["answers"] | keyof FakeCalls["answers"]
    >]: (p: never, blobs?: readonly Blob[]) => unknown;
  } = {
    rooms: () => ({ rooms: [...this.#rooms.values()] }),
    room: ({ room }: { room: RoomID }) => this.#details(room),
    openDirect: ({ person }: { person: AccountID }) =>
      [...this.#rooms.values()].find((r) => r.peer === person) ??
      this.#newRoom("direct", this.#everybody.nameOf(person), person),
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
        this.#change(room.id, Date.now(), { kind: "created", by: this.#everybody.nameOf(personId(0)), me: true, name }),
      );
      return this.#rooms.get(room.id);
    },
    renameRoom: ({ room, name }: { room: RoomID; name: string }) => {
      this.#patch(room, { title: name, named: true });
      this.#add(
        room,
        this.#change(room, Date.now(), { kind: "renamed", by: this.#everybody.nameOf(personId(0)), me: true, name }),
      );
    },
    addMembers: async ({ room, members }: { room: RoomID; members: AccountID[] }) => {
      await later(300);
      this.#members
        .get(room)
        ?.push(...members.map((m) => ({ person: this.#people.findIndex((p) => p.id === m), owner: false })));
      this.#patch(room, { members: this.#members.get(room)?.length ?? 1 });
      const who = members.map((m) => this.#everybody.nameOf(m));
      this.#add(
        room,
        this.#change(room, Date.now(), { kind: "added", by: this.#everybody.nameOf(personId(0)), me: true, who }),
      );
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
          by: this.#everybody.nameOf(personId(0)),
          me: true,
          who: [this.#everybody.nameOf(member)],
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
    if (!room) return refused("not_found");
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
        this.#newRoom("direct", this.#everybody.nameOf(out.person), out.person);
      id = room.id;
      this.#put(room);
    }
    if (!id) return refused("bad_input");
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
    push(
      this.#change(group.id, start, {
        kind: "created",
        by: this.#everybody.nameOf(personId(3)),
        me: false,
        name: w.group,
      }),
    );
    push(
      this.#change(group.id, start + minute, {
        kind: "added",
        by: this.#everybody.nameOf(personId(3)),
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
