import type { Core } from "../core.ts";

/**
 * askToPersist asks the browser, once somebody has signed in, to keep what is
 * stored. Only a page may ask; the core looks at the answer by itself.
 */
export function askToPersist(core: Pick<Core, "on">): void {
  let asked = false;
  const stop = core.on("status", (status) => {
    if (asked || status.phase !== "ready") return;
    asked = true;
    stop();
    void navigator.storage.persisted().then((kept) => kept || navigator.storage.persist());
  });
}
