import type { Core } from "../core.ts";

/**
 * askToPersist asks the browser, once somebody has signed in, to keep what is
 * stored, and tells what it answered. Only a page may ask, so the core cannot.
 */
export function askToPersist(core: Pick<Core, "on">, tell: (kept: boolean) => void): void {
  const stop = core.on("status", (status) => {
    if (status.phase !== "ready") return;
    stop();
    void navigator.storage
      .persisted()
      .then((kept) => kept || navigator.storage.persist())
      .then(tell);
  });
}
