import type { AccountID, FailureCode } from "../src/core/api.gen.ts";

// Scene is the situation that the made-up core is in.
export type Scene =
  | "main"
  | "plain" // the same with tiny pictures, which are quickly drawn
  | "pictures" // with a film to play
  | "empty"
  | "setup"
  | "join"
  | "signIn"
  | "reset" // by a link, in a browser that nobody uses
  | "resetOwn" // by a link, where the person is signed in
  | "resetOther" // by a link, where somebody else is signed in
  | "enrolling"
  | "ended"
  | "offline"
  | "notices"
  | "news"
  | "restored" // from a backup: what was lost, and who is back
  | "pending"
  | "shut" // plain, with somebody in the group whose account is shut
  | "long"
  | "calls" // plain, with a call that goes on in the group and rows of former ones
  | "unsealed" // plain, in a browser that cannot seal frames
  | "unreachable";

export const minute = 60_000;
export const day = 86_400_000;

const letters = "abcdefghijklmnopqrstuvwxyz";
export const idOf = (kind: string, n: number) =>
  `${kind}${letters[n % 26]}${letters[Math.floor(n / 26)]}`.padEnd(26, "a");
export const personId = (n: number) => idOf("person", n) as AccountID;

// refused is how the made-up core says no.
export interface Refused {
  readonly ok: false;
  readonly code: FailureCode;
  readonly field?: string;
}
export const refused = (code: FailureCode, field?: string): Refused => ({
  ok: false,
  code,
  ...(field ? { field } : {}),
});

export function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
