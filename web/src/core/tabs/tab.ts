import type { Events, Failure } from "../api.gen.ts";
import type { Answer as AnswerOf, CommandName, Core, EventName, Params, Result } from "../core.ts";
import type { Answer, CoreID, News, TabID, ToCore } from "./protocol.ts";

/** Line is a channel between tabs and the core, as BroadcastChannel is one. */
export type Line = {
  postMessage(message: unknown): void;
  onmessage: ((e: MessageEvent) => void) | null;
};

/** Lines are the three channels of a tab. */
export type Lines = { readonly calls: Line; readonly news: Line; readonly answers: Line };

// Asking these again does no harm: they read, or say again what was said.
const repeatable: ReadonlySet<CommandName> = new Set<CommandName>([
  "status",
  "site",
  "checkLink",
  "devices",
  "people",
  "notices",
  "dismissNotice",
  "rooms",
  "room",
  "openDirect",
  "timeline",
  "markRead",
  "lookAway",
  "saveDraft",
  "openFile",
  "cancelFile",
]);

type Waiting = {
  readonly name: CommandName;
  readonly params: string;
  readonly blobs: readonly Blob[];
  readonly settle: (r: Result<unknown>) => void;
  core: CoreID | undefined; // that it was sent to; undefined: it has not left this tab
};

/**
 * TabCore is the core as one tab sees it. It knows of at most one core at a
 * time and follows when another takes over; who starts cores is not its matter.
 */
export class TabCore implements Core {
  private core: CoreID | undefined; // that answers now
  private hadCore = false;
  private next = 1;
  private readonly waiting = new Map<number, Waiting>();
  private readonly hearers = new Map<EventName, Set<(value: never) => void>>();
  private readonly restarts = new Set<() => void>();
  private broken: Failure | undefined;

  constructor(
    private readonly tab: TabID,
    private readonly lines: Lines,
  ) {
    lines.news.onmessage = (e) => this.heard(e.data as News);
    lines.answers.onmessage = (e) => this.answered(e.data as Answer);
    this.say({ kind: "who" });
  }

  call<N extends CommandName>(name: N, params: Params<N>, blobs: readonly Blob[] = []): Promise<Result<AnswerOf<N>>> {
    if (this.broken) return Promise.resolve({ ok: false, failure: this.broken });
    return new Promise((resolve) => {
      const n = this.next++;
      const w: Waiting = {
        name,
        params: JSON.stringify(params),
        blobs,
        settle: resolve as (r: Result<unknown>) => void,
        core: undefined,
      };
      this.waiting.set(n, w);
      this.send(n, w);
    });
  }

  on<E extends EventName>(event: E, hear: (value: Events[E]) => void): () => void {
    const all = this.hearers.get(event) ?? new Set();
    this.hearers.set(event, all);
    // One function that is given twice is heard twice and taken away singly.
    const one = (value: Events[E]) => hear(value);
    all.add(one as (value: never) => void);
    return () => all.delete(one as (value: never) => void);
  }

  onRestart(hear: () => void): () => void {
    const one = () => hear();
    this.restarts.add(one);
    return () => this.restarts.delete(one);
  }

  /** fail answers every call, now and later: no core can run in this browser. */
  fail(failure: Failure): void {
    this.broken = failure;
    for (const [n, w] of [...this.waiting]) this.settle(n, w, { ok: false, failure });
  }

  private say(message: ToCore): void {
    this.lines.calls.postMessage(message);
  }

  private send(n: number, w: Waiting): void {
    if (this.core === undefined) return;
    w.core = this.core;
    const { name, params, blobs } = w;
    this.say({ kind: "call", core: this.core, tab: this.tab, n, name, params, blobs });
  }

  private settle(n: number, w: Waiting, r: Result<unknown>): void {
    if (this.waiting.delete(n)) w.settle(r);
  }

  private answered(a: Answer): void {
    const w = this.waiting.get(a.n);
    if (!w) return; // answered by the core before, and repeated since
    const value: unknown = JSON.parse(a.json);
    if (!a.ok) this.settle(a.n, w, { ok: false, failure: value as Failure });
    else if (a.blob) this.settle(a.n, w, { ok: true, value: { ...(value as object), blob: a.blob } });
    else this.settle(a.n, w, { ok: true, value });
  }

  private heard(news: News): void {
    switch (news.kind) {
      case "here":
        if (news.core !== this.core) this.follow(news.core);
        return;
      case "gone":
        if (news.core === this.core) this.core = undefined;
        return;
      case "event":
        if (news.core === this.core) this.emit(news.name, JSON.parse(news.json));
    }
  }

  private emit(name: EventName, value: unknown): void {
    for (const hear of [...(this.hearers.get(name) ?? [])]) hear(value as never);
  }

  private follow(core: CoreID): void {
    this.core = core;
    for (const [n, w] of [...this.waiting]) {
      if (w.core === undefined || repeatable.has(w.name)) this.send(n, w);
      else
        this.settle(n, w, {
          ok: false,
          failure: { code: "cancelled", text: `the core ended before it answered ${w.name}` },
        });
    }
    if (this.hadCore) void this.restarted();
    this.hadCore = true;
  }

  private async restarted(): Promise<void> {
    for (const hear of [...this.restarts]) hear();
    const status = await this.call("status", {});
    if (status.ok) this.emit("status", status.value);
  }
}
