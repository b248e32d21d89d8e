// What tabs and the core say to one another. docs/spec/browser.md.
import type { CommandName, EventName } from "../core.ts";

/** The id of one run of a core; a new one is another core. */
export type CoreID = string & { readonly brand: "CoreID" };

/** The id of one page. */
export type TabID = string & { readonly brand: "TabID" };

export const coreLock = "veche-core"; // held by the tab whose worker is the core
export const storeLock = "veche-store"; // held by the worker that has the database open
export const callsChannel = "veche-calls";
export const newsChannel = "veche-news";
export const answersChannel = (tab: TabID): string => `veche-tab-${tab}`;

/** From a tab, on veche-calls. Params are JSON. */
export type ToCore =
  | {
      readonly kind: "call";
      readonly core: CoreID;
      readonly tab: TabID;
      readonly n: number;
      readonly name: CommandName;
      readonly params: string;
      readonly blobs: readonly Blob[];
    }
  | { readonly kind: "who" } // is there? It says "here"
  | { readonly kind: "awake" } // the tab came to the front, or its network came back
  | { readonly kind: "kept"; readonly kept: boolean }; // the browser's answer to navigator.storage.persist()

/** From the core to one tab. Json is the result or the Failure. */
export type Answer = {
  readonly n: number;
  readonly ok: boolean;
  readonly json: string;
  readonly blob?: Blob;
};

/** From the core to all tabs, on veche-news. */
export type News =
  | { readonly kind: "here"; readonly core: CoreID }
  | { readonly kind: "gone"; readonly core: CoreID }
  | { readonly kind: "event"; readonly core: CoreID; readonly name: EventName; readonly json: string };

/** From the tab to the worker that it started, once. */
export type Start = { readonly core: CoreID };

/** From the worker to the tab that started it, once: the core has ended. */
export type Ended = { readonly kind: "ended"; readonly why: string };
