import { scriptURL } from "./trusted.ts";

/**
 * keepShell lets the browser keep the files of the interface, so that the page
 * opens while the server cannot be reached. Where it may not (a certificate
 * that the browser does not trust), the page works all the same.
 */
export function keepShell(): void {
  if (!import.meta.env.PROD || !navigator.serviceWorker) return;
  void navigator.serviceWorker.register(scriptURL("/shell.js"), { scope: "/" }).catch(() => {});
}
