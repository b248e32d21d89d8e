import { lazy } from "react";

// The parts that are fetched when they are first opened, or before that in a
// quiet moment: who is offline by then still has them.
const settings = () => import("../features/settings/Settings.tsx");
const newChat = () => import("../features/people/NewChat.tsx");
const callHost = () => import("../features/call/CallHost.tsx");
const callCheck = () => import("../features/call/CallCheck.tsx").then((m) => ({ default: m.CallCheck }));
const details = () => import("../features/details/DetailsPane.tsx");

export const Settings = lazy(settings);
export const NewChat = lazy(newChat);
export const CallHost = lazy(callHost);
export const CallCheck = lazy(callCheck);
export const DetailsPane = lazy(details);

// fetchParts fetches them all once the page has nothing better to do. A failure
// means nothing yet: the part is asked for again when it is opened.
export function fetchParts(more: readonly (() => Promise<unknown>)[]): void {
  const idle = globalThis.requestIdleCallback ?? ((f: () => void) => setTimeout(f, 2000));
  idle(() => {
    for (const part of [settings, newChat, details, callHost, callCheck, ...more]) part().catch(() => undefined);
  });
}
