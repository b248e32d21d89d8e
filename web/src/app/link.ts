import type { Purpose } from "../features/entry/entryForm.ts";
import { isCallLink } from "../model/calls.ts";

export interface Link {
  readonly purpose: Purpose;
  readonly token: string;
}

const purposes: Readonly<Record<string, Purpose>> = { "/setup": "setup", "/join": "join", "/reset": "reset" };

// linkOf reads a link to set up, to come in or to a new password: /setup#TOKEN,
// /join#TOKEN, /reset#TOKEN.
export function linkOf(path: string, hash: string): Link | undefined {
  const purpose = purposes[path];
  return purpose && { purpose, token: hash.replace(/^#/, "") };
}

// callLinkOf reads a link by which one asks to be let into a call: /call/ID#SECRET.
export function callLinkOf({
  pathname,
  hash,
}: {
  readonly pathname: string;
  readonly hash: string;
}): string | undefined {
  return isCallLink(pathname) && hash.length > 1 ? pathname + hash : undefined;
}
