import type { Purpose } from "../features/entry/entryForm.ts";
import { isCallLink } from "../model/calls.ts";

export interface Link {
  readonly purpose: Purpose;
  readonly token: string;
}

// linkOf reads a set-up or invite link: /setup#TOKEN or /join#TOKEN.
export function linkOf(path: string, hash: string): Link | undefined {
  const purpose = path === "/setup" ? "setup" : path === "/join" ? "join" : undefined;
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
