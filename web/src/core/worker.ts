// The core's worker: opens the database, runs the Go program, and carries calls
// and answers between it and the tabs. docs/spec/browser.md.
import type { Failure } from "./api.gen.ts";
import type { EventName } from "./core.ts";
import { callsChannel, type Ended, newsChannel, type Start, storeLock } from "./tabs/protocol.ts";
import { Shelf } from "./worker/blobs.ts";
import { Desk, type Told } from "./worker/desk.ts";
import { type Bridge, loadGo, runGo } from "./worker/go.ts";
import { KeyError, storeKey } from "./worker/key.ts";
import { openSqlite } from "./worker/sqlite.ts";

addEventListener("message", (e) => void start(e.data as Start), { once: true });

async function start({ core }: Start): Promise<void> {
  const module = loadGo(); // meanwhile
  module.catch(() => {}); // it is awaited below; until then nobody looks
  const shelf = new Shelf();
  const told: Told = {
    // The link waits for this event before it tries again at once.
    awake: () => void dispatchEvent(new Event("online")),
    kept: () => {},
  };
  const desk = new Desk({
    core,
    calls: new BroadcastChannel(callsChannel),
    news: new BroadcastChannel(newsChannel),
    line: (name) => new BroadcastChannel(name),
    shelf,
    told,
  });
  const refuse = (failure: Failure) => desk.open((n) => desk.answer(n, false, JSON.stringify(failure)));
  await navigator.locks.request(storeLock, async () => {
    try {
      const [sqlite, key] = await Promise.all([openSqlite(), storeKey()]);
      const bridge: Bridge = {
        origin: location.origin,
        key,
        blobs: shelf,
        answer: (n, ok, json) => desk.answer(n, ok, json),
        event: (name, json) => desk.event(name as EventName, json),
        ready: (call) => desk.open(call),
        fail: (json) => refuse(JSON.parse(json) as Failure),
      };
      told.kept = (kept) => bridge.kept?.(kept);
      await runGo(await module, sqlite, bridge);
      end("the program ended");
    } catch (e) {
      const failure = failureOf(e);
      // What passes by itself is tried again by the next worker: the server was
      // away, or a page that is being ended still holds the files.
      if (failure.code === "offline" || failure.code === "busy") return end(failure.text ?? failure.code);
      refuse(failure);
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
  if (error.name === "NoModificationAllowedError") return { code: "busy", text };
  if (error instanceof TypeError && /fetch|network/i.test(error.message)) return { code: "offline", text };
  return { code: "unsupported", text };
}
