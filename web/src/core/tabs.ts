// The page's side of the core: one tab of a browser profile runs it in a
// worker, all tabs speak to it. docs/spec/browser.md.
import type { Core } from "./core.ts";
import { own, type Runner } from "./tabs/owner.ts";
import { askToPersist } from "./tabs/persist.ts";
import {
  answersChannel,
  type CoreID,
  callsChannel,
  coreLock,
  type News,
  newsChannel,
  type TabID,
  type ToCore,
} from "./tabs/protocol.ts";
import { keepShell } from "./tabs/shell.ts";
import { TabCore } from "./tabs/tab.ts";
import { scriptURL } from "./tabs/trusted.ts";
import address from "./worker.ts?worker&url";

/** connectCore returns the core of this browser profile, and starts one if this is the first tab. */
export function connectCore(): Core {
  const tab = crypto.randomUUID() as string as TabID;
  const news = new BroadcastChannel(newsChannel);
  const calls = new BroadcastChannel(callsChannel);
  const core = new TabCore(tab, {
    calls,
    news,
    answers: new BroadcastChannel(answersChannel(tab)),
  });
  if (!canRun()) {
    core.fail({ code: "unsupported", text: "this browser lacks Web Locks, OPFS or WebAssembly" });
    return core;
  }
  const url = scriptURL(address);
  const until = new Promise<void>((resolve) => {
    addEventListener("pagehide", () => resolve(), { once: true });
  });
  void navigator.locks.request(coreLock, () =>
    own({
      spawn: () => new Worker(url as unknown as URL, { type: "module", name: "veche" }) as Runner,
      newID: () => crypto.randomUUID() as string as CoreID,
      gone: (id) => news.postMessage({ kind: "gone", core: id } satisfies News),
      wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      until,
    }),
  );
  // A page that the browser brings back from its cache has lost its core.
  addEventListener("pageshow", (e) => {
    if (e.persisted) location.reload();
  });
  const tell = (message: ToCore) => calls.postMessage(message);
  keepShell();
  askToPersist(core, (kept) => tell({ kind: "kept", kept }));
  const awake = () => document.visibilityState === "visible" && tell({ kind: "awake" });
  addEventListener("online", awake);
  document.addEventListener("visibilitychange", awake);
  return core;
}

// canRun says whether all is there that a core needs. Locks, OPFS and
// crypto.subtle are missing outside a secure context and in some private windows.
function canRun(): boolean {
  return (
    typeof WebAssembly === "object" &&
    navigator.locks !== undefined &&
    navigator.storage?.getDirectory !== undefined &&
    crypto.subtle !== undefined
  );
}
