// The service worker: it keeps the files of the interface, so that the page
// opens while the server cannot be reached. It keeps nothing else, and what goes
// to /api it does not touch. docs/spec/browser.md#starting.

// The types of a service worker's scope, which the DOM's library does not have.
type Extendable = Event & { waitUntil(p: Promise<unknown>): void };
type Fetching = Extendable & { readonly request: Request; respondWith(r: Promise<Response>): void };
type Scope = {
  addEventListener(type: "install" | "activate", f: (e: Extendable) => void): void;
  addEventListener(type: "fetch", f: (e: Fetching) => void): void;
  skipWaiting(): Promise<void>;
  readonly clients: { claim(): Promise<void> };
};
const scope = globalThis as unknown as Scope;

// The build fills these in: a name that changes with any file, and all files.
declare const __SHELL_VERSION__: string;
declare const __SHELL_FILES__: readonly string[];

const page = "/"; // every address of the interface is this page
const patience = 4000; // ms that the server has to give the page before the kept one is shown

scope.addEventListener("install", (e) => e.waitUntil(install()));
scope.addEventListener("activate", (e) => e.waitUntil(activate()));
scope.addEventListener("fetch", (e) => {
  const url = new URL(e.request.url);
  if (e.request.method !== "GET" || url.origin !== location.origin || url.pathname.startsWith("/api/")) return;
  if (e.request.mode === "navigate") e.respondWith(newestPage(e.request));
  else if (__SHELL_FILES__.includes(url.pathname)) e.respondWith(file(e.request));
});

async function install(): Promise<void> {
  const cache = await caches.open(__SHELL_VERSION__);
  // Most of it the browser has just fetched; hashed names never get stale.
  await cache.addAll(__SHELL_FILES__.map((path) => new Request(path, { credentials: "same-origin" })));
  await scope.skipWaiting();
}

async function activate(): Promise<void> {
  for (const name of await caches.keys()) if (name !== __SHELL_VERSION__) await caches.delete(name);
  await scope.clients.claim();
}

// newestPage is the server's if it gives one in time, else the one that is kept.
async function newestPage(request: Request): Promise<Response> {
  const kept = await keptOf(page);
  if (!kept) return fetch(request);
  const fresh = fetch(request).then(
    (r) => (r.status < 500 ? r : kept),
    () => kept,
  );
  const late = new Promise<Response>((resolve) => setTimeout(() => resolve(kept), patience));
  return Promise.race([fresh, late]);
}

// file belongs to this version of the interface.
async function file(request: Request): Promise<Response> {
  return (await keptOf(request)) ?? fetch(request);
}

// keptOf is what is kept for an address. Storage that fails is as if nothing
// were: the server still has it.
async function keptOf(request: Request | string): Promise<Response | undefined> {
  try {
    return await caches.match(request, { ignoreSearch: true });
  } catch {
    return undefined;
  }
}
