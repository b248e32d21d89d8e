import type { EventName } from "../core.ts";
import { type Answer, answersChannel, type CoreID, type News, type TabID, type ToCore } from "../tabs/protocol.ts";
import type { Line } from "../tabs/tab.ts";
import type { Shelf } from "./blobs.ts";

type Call = Extract<ToCore, { kind: "call" }>;
type Asked = { readonly tab: TabID; readonly n: number; readonly sink: number | undefined };

/** Handler takes a call on to Go under a number of its own. */
export type Handler = (n: number, name: string, params: string) => void;

/** Told hears what tabs tell the core without asking anything. */
export type Told = {
  awake: () => void; // a tab came to the front, or its network came back
  kept: (kept: boolean) => void; // whether the browser promised to keep what is stored
};

/** DeskConfig says what a Desk speaks through. */
export type DeskConfig = {
  readonly core: CoreID;
  readonly calls: Line;
  readonly news: Line;
  readonly line: (name: string) => Line; // to one tab
  readonly shelf: Shelf;
  readonly told: Told;
};

/**
 * Desk takes calls from all tabs to the core and answers back. It puts blobs on
 * the shelf and numbers into the parameters, because Go has no Blobs.
 */
export class Desk {
  private next = 1;
  private readonly asked = new Map<number, Asked>();
  private readonly tabs = new Map<TabID, Line>();
  private handle: Handler | undefined;

  constructor(private readonly cfg: DeskConfig) {}

  /** open tells the tabs that this core takes calls now. */
  open(handle: Handler): void {
    this.handle = handle;
    this.cfg.calls.onmessage = (e) => this.heard(e.data as ToCore);
    this.say({ kind: "here", core: this.cfg.core });
  }

  /** close tells the tabs that this core takes none any more. */
  close(): void {
    this.cfg.calls.onmessage = null;
    this.say({ kind: "gone", core: this.cfg.core });
  }

  event(name: EventName, json: string): void {
    this.say({ kind: "event", core: this.cfg.core, name, json });
  }

  answer(n: number, ok: boolean, json: string): void {
    const asked = this.asked.get(n);
    if (!asked) return;
    this.asked.delete(n);
    const blob = asked.sink === undefined ? undefined : this.cfg.shelf.take(asked.sink);
    this.reply(asked, ok && blob ? { n: asked.n, ok, json, blob } : { n: asked.n, ok, json });
  }

  private say(news: News): void {
    this.cfg.news.postMessage(news);
  }

  private reply(to: Asked, answer: Answer): void {
    let line = this.tabs.get(to.tab);
    if (!line) {
      line = this.cfg.line(answersChannel(to.tab));
      this.tabs.set(to.tab, line);
    }
    line.postMessage(answer);
  }

  private heard(message: ToCore): void {
    switch (message.kind) {
      case "who":
        this.say({ kind: "here", core: this.cfg.core });
        return;
      case "awake":
        this.cfg.told.awake();
        return;
      case "kept":
        this.cfg.told.kept(message.kept);
        return;
      case "call":
        if (message.core === this.cfg.core) this.take(message);
    }
  }

  private take(call: Call): void {
    const n = this.next++;
    let params = call.params;
    let sink: number | undefined;
    if (call.name === "send" && call.blobs.length > 0) params = this.withSources(params, call.blobs);
    if (call.name === "openFile") {
      sink = this.cfg.shelf.open();
      params = JSON.stringify({ ...(JSON.parse(params) as object), sink: String(sink) });
    }
    this.asked.set(n, { tab: call.tab, n: call.n, sink });
    this.handle?.(n, call.name, params);
  }

  private withSources(params: string, blobs: readonly Blob[]): string {
    const message = JSON.parse(params) as { files?: object[] };
    const files = (message.files ?? []).map((file, i) => {
      const blob = blobs[i];
      return blob ? { ...file, source: String(this.cfg.shelf.put(blob)) } : file;
    });
    return JSON.stringify({ ...message, files });
  }
}
