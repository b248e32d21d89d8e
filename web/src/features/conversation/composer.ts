import type { AccountID, Draft, Item, None, Queued, Quote, Room, RoomRef } from "../../core/api.gen.ts";
import type { Core, Result } from "../../core/core.ts";
import type { Key, Values } from "../../i18n/text.ts";
import { type Attachment, attach, type Prepared } from "../../model/attachment.ts";
import { Store } from "../../model/store.ts";
import type { Message } from "../../model/timeline.ts";

const maxText = 16_384; // characters; docs/spec/content.md
const maxFiles = 20;
const draftPause = 400; // ms of quiet before a draft is kept
const typingEvery = 3000; // ms

export interface Problem {
  readonly key: Key;
  readonly values?: Values;
}

export interface ComposerState {
  readonly text: string;
  readonly attachments: readonly Attachment[];
  readonly asFiles: boolean; // photos leave unchanged
  readonly reply: Quote | undefined;
  readonly editing: { readonly id: string; readonly text: string } | undefined;
  readonly problem: Problem | undefined;
}

// Sends is the part of the timeline that the composer needs.
export interface Sends {
  send(message: Message, to: { room: Room["id"] } | { person: AccountID }): Promise<Result<Queued>>;
  edit(id: string, text: string): Promise<Result<object>>;
}

// ComposerCore is the part of the core that it needs.
export interface ComposerCore {
  call(name: "saveDraft", params: Draft): Promise<Result<None>>;
  call(name: "typing", params: RoomRef): Promise<Result<None>>;
}

// Composer is the view model of the field that one writes in, for one room. It
// never loses words: what the core does not take comes back into the field.
export class Composer {
  readonly state: Store<ComposerState>;
  readonly #core: ComposerCore;
  readonly #timeline: Sends;
  readonly #room: Room;
  readonly #made: () => boolean;
  readonly #maxFile: number;
  #draftTimer: ReturnType<typeof setTimeout> | undefined;
  #kept: string; // the draft as the core has it
  #saidTyping = 0;
  #before = ""; // what stood in the field before editing began
  #leaving: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(core: Core | ComposerCore, timeline: Sends, room: Room, made: () => boolean, maxFile: number) {
    this.#core = core;
    this.#timeline = timeline;
    this.#room = room;
    this.#made = made;
    this.#maxFile = maxFile;
    this.#kept = room.draft ?? "";
    this.state = new Store<ComposerState>({
      text: this.#kept,
      attachments: [],
      asFiles: false,
      reply: undefined,
      editing: undefined,
      problem: undefined,
    });
  }

  // close keeps the draft at once: the person goes to another room.
  close(): void {
    this.keepDraft();
  }

  edit(text: string): void {
    this.state.update({ text, problem: undefined });
    if (this.state.snapshot().editing) return;
    clearTimeout(this.#draftTimer);
    this.#draftTimer = setTimeout(() => this.keepDraft(), draftPause);
    const now = Date.now();
    if (text && this.#made() && now - this.#saidTyping >= typingEvery) {
      this.#saidTyping = now;
      void this.#core.call("typing", { room: this.#room.id });
    }
  }

  keepDraft(): void {
    clearTimeout(this.#draftTimer);
    const { text, editing } = this.state.snapshot();
    const draft = editing ? this.#before : text;
    if (draft === this.#kept || !this.#made()) return;
    this.#kept = draft;
    void this.#core.call("saveDraft", { room: this.#room.id, text: draft });
  }

  replyTo(item: Item): void {
    if (this.state.snapshot().editing) this.cancel();
    const text = item.text || (item.files?.[0]?.name ?? "");
    this.state.update({ reply: { id: item.id, seq: item.seq, name: item.name, text: text.slice(0, 200) } });
  }

  beginEdit(item: Item): void {
    const { text, editing } = this.state.snapshot();
    if (!editing) this.#before = text;
    this.state.update({
      editing: { id: item.id, text: item.text },
      reply: undefined,
      text: item.text,
      problem: undefined,
    });
  }

  // cancel leaves editing or replying.
  cancel(): void {
    const { editing } = this.state.snapshot();
    if (editing) this.state.update({ editing: undefined, text: this.#before, problem: undefined });
    else this.state.update({ reply: undefined });
  }

  attach(files: Iterable<File>): void {
    const { attachments, editing } = this.state.snapshot();
    if (editing) return;
    const added: Attachment[] = [];
    for (const file of files) {
      if (attachments.length + added.length >= maxFiles) {
        this.state.update({ problem: { key: "write.tooMany" } });
        break;
      }
      if (file.size > this.#maxFile) {
        this.state.update({ problem: { key: "write.tooLarge", values: { name: file.name, size: this.#maxFile } } });
        continue;
      }
      const one = attach(file);
      added.push(one);
      void one.ready.then((prepared) => this.#prepared(one.key, prepared));
    }
    this.state.update({ attachments: [...attachments, ...added] });
  }

  detach(key: string): void {
    const { attachments } = this.state.snapshot();
    this.state.update({ attachments: attachments.filter((a) => a.key !== key), problem: undefined });
  }

  setAsFiles(asFiles: boolean): void {
    this.state.update({ asFiles });
  }

  // send empties the field at once and answers with the room in which the
  // message stands, once it is stored.
  async send(): Promise<Result<Queued> | undefined> {
    const { text, attachments, asFiles, reply, editing } = this.state.snapshot();
    const words = text.trim();
    if (words.length > maxText) {
      this.state.update({ problem: { key: "write.tooLong" } });
      return undefined;
    }
    if (editing) return this.#sendEdit(editing, words);
    if (!words && attachments.length === 0) return undefined;
    clearTimeout(this.#draftTimer);
    this.state.update({ text: "", attachments: [], asFiles: false, reply: undefined, problem: undefined });
    this.#saidTyping = 0;
    this.keepDraft();

    const got = await this.#inOrder(attachments, async () => {
      const ready = await Promise.all(attachments.map((a) => a.ready));
      const files = ready.map((p) => (asFiles ? p.file : p.photo));
      const to = this.#room.peer && !this.#made() ? { person: this.#room.peer } : { room: this.#room.id };
      return this.#timeline.send(
        { text: words, files: files.map((f) => f.about), blobs: files.map((f) => f.blob), ...(reply ? { reply } : {}) },
        to,
      );
    });
    if (!got.ok) {
      const now = this.state.snapshot();
      const problem: Problem = { key: got.failure.code === "internal" ? "write.failed" : `fail.${got.failure.code}` };
      this.state.update(
        now.text || now.attachments.length > 0 ? { problem } : { text, attachments, asFiles, reply, problem },
      );
    }
    return got;
  }

  // inOrder lets a message wait for those before it whose photos are still
  // being drawn. Without any, it starts within this turn of the event loop.
  async #inOrder<T>(attachments: readonly Attachment[], leave: () => Promise<T>): Promise<T> {
    if (this.#waiting === 0 && attachments.length === 0) return leave();
    this.#waiting++;
    const before = this.#leaving;
    const mine = before.then(leave).finally(() => this.#waiting--);
    this.#leaving = mine.catch(() => undefined);
    return mine;
  }

  async #sendEdit(editing: { id: string; text: string }, words: string): Promise<undefined> {
    if (!words) return undefined;
    this.cancel();
    if (words === editing.text) return undefined;
    const got = await this.#timeline.edit(editing.id, words);
    if (!got.ok) this.state.update({ problem: { key: `fail.${got.failure.code}` } });
    return undefined;
  }

  #prepared(key: string, prepared: Prepared): void {
    const { attachments } = this.state.snapshot();
    this.state.update({ attachments: attachments.map((a) => (a.key === key ? { ...a, prepared } : a)) });
  }
}
