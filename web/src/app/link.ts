import type { Purpose } from "../features/entry/entryForm.ts";

export interface Link {
  readonly purpose: Purpose;
  readonly token: string;
}

// linkOf reads a set-up or invite link: /setup#TOKEN or /join#TOKEN.
export function linkOf(path: string, hash: string): Link | undefined {
  const purpose = path === "/setup" ? "setup" : path === "/join" ? "join" : undefined;
  return purpose && { purpose, token: hash.replace(/^#/, "") };
}
