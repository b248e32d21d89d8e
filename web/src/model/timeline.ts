import type { AccountID, Item, OutgoingFile, Queued, Quote, RoomID, TimelineChanged, Window } from "../core/api.gen.ts";
import type { Core, Result } from "../core/core.ts";
import { extended, merged, type Rows, trimmed } from "./rows.ts";
import { Store } from "./store.ts";

const page = 60;

// farBack is how many pages are looked through for a quoted message.
const farBack = 40;

// localOrder is where messages stand that the core has not stored yet: after
// all others, in the order of writing.
const localOrder = 2 ** 52;

export interface TimelineState extends Rows {
  readonly phase: "loading" | "ready" | "failed";
  readonly busy: "older" | "newer" | undefined;
  readonly firstUnread: string | undefined; // where the divider stands, as of opening
}

// Draft is a message as the composer hands it over.
export interface Message {
  readonly text: string;
  readonly files: readonly OutgoingFile[];
  readonly blobs: readonly Blob[];
  readonly reply?: Quote;
}

type TimelineCore = Pick<Core, "call" | "on">;

// Timeline is the window on one room's messages.
//
// It paints from the core's store. A message of one's own stands here from the
// moment of send on, as a row of ours that gives way to the core's row as soon
// as that is stored; the row keeps its key, so the page does not blink.
export class Timeline {
  readonly room: RoomID;
  readonly state = new Store<TimelineState>({
    phase: "loading",
    items: [],
    older: false,
    newer: false,
    busy: undefined,
    firstUnread: undefined,
  });
  // atEnd is kept by the view: whether the newest row is in sight.
  atEnd = true;
  // watched is kept by the view too: whether somebody looks at this window. What
  // comes while nobody does is marked as unread.
  watched = true;

  readonly #core: TimelineCore;
  readonly #deaf: () => void;
  readonly #keys = new Map<string, string>(); // core's id → key of our row
  readonly #unanswered = new Map<string, string>(); // our row → its text, until send has answered
  #heard: TimelineChanged[] | undefined; // events that came while a page was fetched
  #opened: Promise<void> | undefined;
  #turn = 0; // counts fetches, so that an overtaken one is dropped
  #locals = 0;
  #read = 0;

  constructor(core: TimelineCore, room: RoomID) {
    this.#core = core;
    this.room = room;
    this.#deaf = core.on("timeline", (change) => {
      if (change.room === room) this.#hear(change);
    });
  }

  close(): void {
    this.#deaf();
    this.#turn++;
  }

  readonly keyOf = (id: string): string => this.#keys.get(id) ?? id;

  // open shows the first unread message, or the newest. It works once.
  open(unread: boolean): Promise<void> {
    this.#opened ??= this.#load(unread ? { room: this.room, unread } : { room: this.room });
    return this.#opened;
  }

  // refresh asks again for what is on screen.
  refresh(): Promise<void> {
    const { items, newer } = this.state.snapshot();
    const first = items.find((i) => i.order < localOrder);
    if (!newer || !first) return this.#load({ room: this.room });
    return this.#load({ room: this.room, after: first.order - 1, limit: 120 }, true);
  }

  // toNewest shows the end of the room.
  async toNewest(): Promise<void> {
    this.atEnd = true;
    if (this.state.snapshot().newer) await this.#load({ room: this.room });
  }

  // reveal makes sure that a message is among the rows; false, with the rows as
  // they were, if it is not here.
  async reveal(id: string): Promise<boolean> {
    let { items, older } = this.state.snapshot();
    if (items.some((i) => i.id === id)) return true;
    if (this.state.snapshot().phase !== "ready") return false;
    const turn = ++this.#turn;
    this.#heard = [];
    this.state.update({ busy: undefined });
    for (let n = 0; n < farBack && older && items[0]; n++) {
      const got = await this.#core.call("timeline", { room: this.room, before: items[0].order, limit: 100 });
      if (turn !== this.#turn || !got.ok) break;
      ({ items, older } = got.value);
      if (!items.some((i) => i.id === id)) continue;
      this.atEnd = false;
      this.#put({ items, older, newer: true });
      this.#catchUp();
      return true;
    }
    if (turn === this.#turn) this.#catchUp();
    return false;
  }

  async more(end: "older" | "newer"): Promise<void> {
    const { phase, busy, items, older, newer } = this.state.snapshot();
    if (phase !== "ready" || busy || !(end === "older" ? older : newer)) return;
    const edge = end === "older" ? items[0] : items.at(-1);
    if (!edge) return;
    const turn = ++this.#turn;
    this.#heard = [];
    this.state.update({ busy: end });
    const where = end === "older" ? { before: edge.order } : { after: edge.order };
    const got = await this.#core.call("timeline", { room: this.room, limit: page, ...where });
    if (turn !== this.#turn) return;
    this.state.update({ busy: undefined });
    if (got.ok) {
      const rows = extended(this.state.snapshot(), got.value.items, end, got.value[end]);
      this.#put(trimmed(rows, end === "older" ? "start" : "end"));
    }
    this.#catchUp();
  }

  // send shows the message at once and hands it to the core. If the core
  // refuses, the row goes away and the caller gives the words back.
  async send(message: Message, to: { room: RoomID } | { person: AccountID }): Promise<Result<Queued>> {
    await this.toNewest();
    const key = `local ${++this.#locals}`;
    this.#unanswered.set(key, message.text);
    this.state.update({ firstUnread: undefined });
    this.#put(merged(this.state.snapshot(), [this.#localRow(key, message)]));
    const { text, files, blobs, reply } = message;
    const got = await this.#core.call("send", { ...to, text, files, ...(reply ? { reply: reply.id } : {}) }, blobs);
    const waits = this.#unanswered.delete(key);
    const { items } = this.state.snapshot();
    if (!got.ok) {
      this.#put(merged(this.state.snapshot(), [], [key]));
    } else if (waits) {
      this.#keys.set(got.value.id, key);
      if (items.some((i) => i.id === got.value.id)) this.#put(merged(this.state.snapshot(), [], [key]));
    }
    return got;
  }

  async retry(id: string): Promise<Result<object>> {
    return this.#core.call("retry", { room: this.room, id });
  }

  async drop(id: string): Promise<Result<object>> {
    return this.#core.call("drop", { room: this.room, id });
  }

  async edit(id: string, text: string): Promise<Result<object>> {
    return this.#core.call("edit", { room: this.room, id, text });
  }

  async delete(id: string): Promise<Result<object>> {
    return this.#core.call("delete", { room: this.room, id });
  }

  // seen says that the person had the row of this seq before their eyes.
  seen(seq: number): void {
    if (seq <= this.#read) return;
    this.#read = seq;
    void this.#core.call("markRead", { room: this.room, seq });
  }

  // left says that the person goes elsewhere, or hides the app.
  left(): void {
    void this.#core.call("lookAway", {});
  }

  async #load(where: Window, keepUnread = false): Promise<void> {
    const turn = ++this.#turn;
    this.#heard = [];
    const got = await this.#core.call("timeline", { limit: page, ...where });
    if (turn !== this.#turn) return;
    if (!got.ok) {
      if (this.state.snapshot().phase === "loading") this.state.update({ phase: "failed" });
      this.#opened = undefined;
      return;
    }
    const { items, older, newer, firstUnread } = got.value;
    const first = this.state.snapshot().phase === "loading";
    const locals = newer ? [] : this.state.snapshot().items.filter((i) => i.order >= localOrder);
    this.state.set({
      ...trimmed({ items: [...items, ...locals], older, newer }, newer ? "start" : "end"),
      phase: "ready",
      busy: undefined,
      firstUnread: first ? firstUnread || undefined : keepUnread ? this.state.snapshot().firstUnread : undefined,
    });
    this.#catchUp();
  }

  #hear(change: TimelineChanged): void {
    this.#heard?.push(change);
    if (this.state.snapshot().phase === "ready") this.#apply(change);
  }

  #catchUp(): void {
    const heard = this.#heard ?? [];
    this.#heard = undefined;
    for (const change of heard) this.#apply(change);
  }

  #apply({ items, gone }: TimelineChanged): void {
    const rows = this.state.snapshot();
    const known = new Set(rows.items.map((i) => i.id));
    const replaced = [...gone];
    for (const item of items) {
      if (!item.mine || known.has(item.id)) continue;
      const key = this.#keys.get(item.id) ?? this.#claim(item);
      if (key) replaced.push(key);
    }
    this.#put(trimmed(merged(rows, items, replaced), this.atEnd ? "end" : "start"));
    const last = rows.items.at(-1)?.order ?? 0;
    const missed = items.find((i) => i.kind === "message" && !i.mine && i.order > last && !known.has(i.id));
    if (missed && !this.watched && !rows.newer && !rows.firstUnread) this.state.update({ firstUnread: missed.id });
  }

  // claim finds the row of ours that the core's new row is about, when the event
  // overtook the answer to send.
  #claim(item: Item): string | undefined {
    for (const [key, text] of this.#unanswered) {
      if (text !== item.text) continue;
      this.#unanswered.delete(key);
      this.#keys.set(item.id, key);
      return key;
    }
    return undefined;
  }

  #put({ items, older, newer }: Rows): void {
    this.state.update({ items, older, newer });
  }

  #localRow(key: string, { text, files, blobs, reply }: Message): Item {
    return {
      id: key,
      order: localOrder + this.#locals,
      seq: 0,
      kind: "message",
      name: "",
      mine: true,
      state: "saved",
      time: Date.now(),
      text,
      files: files.map(({ source: _, ...about }, n) => ({ ...about, size: blobs[n]?.size ?? 0, here: false })),
      ...(reply ? { reply } : {}),
    };
  }
}
