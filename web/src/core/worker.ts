// The core's worker: opens the database, runs the Go program, and carries calls
// and answers between it and the tabs. docs/spec/browser.md.
import type { Failure } from "./api.gen.ts";
import type { EventName } from "./core.ts";
import { callsChannel, type Ended, newsChannel, type Start, storeLock } from "./tabs/protocol.ts";
import { Shelf } from "./worker/blobs.ts";
import { Desk } from "./worker/desk.ts";
import { loadGo, runGo } from "./worker/go.ts";
import { forgetKey, KeyError, storeKey } from "./worker/key.ts";
import { openSqlite } from "./worker/sqlite.ts";

addEventListener("message", (e) => void start(e.data as Start), { once: true });

async function start({ core }: Start): Promise<void> {
  const module = loadGo(); // meanwhile
  module.catch(() => {}); // it is awaited below; until then nobody looks
  const shelf = new Shelf();
  const desk = new Desk({
    core,
    calls: new BroadcastChannel(callsChannel),
    news: new BroadcastChannel(newsChannel),
    line: (name) => new BroadcastChannel(name),
    shelf,
  });
  const refuse = (failure: Failure) => desk.open((n) => desk.answer(n, false, JSON.stringify(failure)));
  await navigator.locks.request(storeLock, async () => {
    try {
      const [sqlite, key, persisted] = await Promise.all([openSqlite(), storeKey(), navigator.storage.persisted()]);
      await runGo(await module, sqlite, {
        origin: location.origin,
        key,
        persisted,
        blobs: shelf,
        answer: (n, ok, json) => desk.answer(n, ok, json),
        event: (name, json) => desk.event(name as EventName, json),
        ready: (call) => desk.open(call),
        fail: (json) => refuse(JSON.parse(json) as Failure),
        wiped: () => void forgetKey().then(() => end("wiped")),
      });
      end("the program ended");
    } catch (e) {
      refuse(failureOf(e));
      // The lock stays with this worker: what could not be opened by it cannot
      // be by another, and nothing may happen to it meanwhile.
      await new Promise(() => {});
    }
  });

  function end(why: string): void {
    desk.close();
    postMessage({ kind: "ended", why } satisfies Ended);
  }
}

function failureOf(e: unknown): Failure {
  const error = e instanceof Error ? e : new Error(String(e));
  const text = `${error.name}: ${error.message}`;
  if (error instanceof KeyError || "resultCode" in error) return { code: "damaged_store", text };
  if (error.name === "QuotaExceededError") return { code: "no_space", text };
  if (error instanceof TypeError && /fetch|network/i.test(error.message)) return { code: "offline", text };
  return { code: "unsupported", text };
}
