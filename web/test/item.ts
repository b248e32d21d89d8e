import type { Item, RoomID } from "../src/core/api.gen.ts";
import type { CommandName, Core, EventName, Result } from "../src/core/core.ts";

export const room = "roomaaaaaaaaaaaaaaaaaaaaaa" as RoomID;

// item is a message of somebody else, number n of its room.
export function item(n: number, more: Partial<Item> = {}): Item {
  return {
    id: `m${n}`,
    order: n,
    seq: n,
    kind: "message",
    name: "Ann",
    mine: false,
    state: "received",
    time: new Date(2026, 5, 1, 12, 0).getTime() + n * 60_000,
    text: `text ${n}`,
    ...more,
  };
}

export const items = (from: number, to: number): Item[] =>
  Array.from({ length: to - from + 1 }, (_, n) => item(from + n));

type Answers = { [N in CommandName]?: (params: never, blobs?: readonly Blob[]) => unknown };

// Desk is a core of which a test answers the commands it cares about and says
// the events. A failure is answered by throwing it, or its code.
export class Desk implements Core {
  readonly calls: [CommandName, unknown][] = [];
  readonly #answers: Answers;
  readonly #hearers = new Map<EventName, Set<(value: never) => void>>();

  constructor(answers: Answers = {}) {
    this.#answers = answers;
  }

  // biome-ignore lint/suspicious/noExplicitAny: the types are those of Core; this stands in for it
  async call(name: CommandName, params: any, blobs?: readonly Blob[]): Promise<Result<any>> {
    this.calls.push([name, params]);
    try {
      return { ok: true, value: (await this.#answers[name]?.(params as never, blobs)) ?? {} };
    } catch (failure) {
      if (failure instanceof Error) throw failure;
      return { ok: false, failure: (typeof failure === "string" ? { code: failure } : failure) as never };
    }
  }

  on<E extends EventName>(event: E, hear: (value: never) => void): () => void {
    const set = this.#hearers.get(event) ?? new Set();
    this.#hearers.set(event, set.add(hear));
    return () => set.delete(hear);
  }

  onRestart(): () => void {
    return () => {};
  }

  say(event: EventName, value: unknown): void {
    for (const hear of this.#hearers.get(event) ?? []) (hear as (v: unknown) => void)(value);
  }

  asked(name: CommandName): unknown[] {
    return this.calls.filter(([n]) => n === name).map(([, params]) => params);
  }
}

// gate is a promise that a test opens.
export function gate<T>(): { promise: Promise<T>; open: (value: T) => void } {
  let open: (value: T) => void = () => {};
  const promise = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { promise, open };
}
