import type { CoreID, Ended, Start } from "./protocol.ts";

/** Runner is a worker that is a core, as Worker is one. */
export type Runner = {
  postMessage(message: Start): void;
  terminate(): void;
  onmessage: ((e: MessageEvent) => void) | null;
  onerror: ((e: ErrorEvent) => void) | null;
};

/** OwnerConfig says how cores are started and what is said about them. */
export type OwnerConfig = {
  readonly spawn: (core: CoreID) => Runner;
  readonly newID: () => CoreID;
  readonly gone: (core: CoreID) => void; // tells all tabs that a core has ended
  readonly wait: (ms: number) => Promise<void>;
  readonly until: Promise<void>; // settles when this tab ends
};

const firstPause = 1000; // ms before an ended core is followed by another; doubled each time …
const longestPause = 30_000; // … up to this

/**
 * own keeps a core running for as long as the tab lives. It is called while the
 * tab holds the lock, and returns when the tab ends.
 */
export async function own(cfg: OwnerConfig): Promise<void> {
  let over = false;
  const end = cfg.until.then(() => {
    over = true;
  });
  for (let pause = firstPause; !over; pause = Math.min(pause * 2, longestPause)) {
    const core = cfg.newID();
    const runner = cfg.spawn(core);
    const ended = new Promise<void>((resolve) => {
      runner.onmessage = (e) => {
        if ((e.data as Ended).kind === "ended") resolve();
      };
      runner.onerror = () => resolve();
    });
    runner.postMessage({ core });
    await Promise.race([ended, end]);
    runner.terminate();
    cfg.gone(core);
    if (!over) await Promise.race([cfg.wait(pause), end]);
  }
}
