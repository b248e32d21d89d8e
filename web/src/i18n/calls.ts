import type { CallItem } from "../core/api.gen.ts";
import { duration, names } from "./format.ts";
import type { Key, Text } from "./text.ts";

const named = 4; // people; of more only the number is said

// callTitle says what a call was, from the reader's side.
export function callTitle(t: Text, call: CallItem, mine: boolean): string {
  const { video } = call;
  if (call.live) return t("call.rowLive");
  if (call.missed) return t(video ? "call.rowMissedVideo" : "call.rowMissed");
  if (mine && call.ring) return t(video ? "call.rowOutVideo" : "call.rowOut");
  return t(video ? "call.rowVideo" : "call.rowAudio");
}

const ends: Partial<Record<NonNullable<CallItem["end"]>, Key>> = {
  none: "call.rowNone",
  declined: "call.rowDeclined",
  busy: "call.rowBusy",
  cancelled: "call.rowCancelled",
};

// callLine says how a call ended: how long it was and with whom, or why not.
export function callLine(t: Text, call: CallItem): string {
  if (call.live) return "";
  const end = call.end ? ends[call.end] : undefined;
  if (end) return call.missed ? "" : t(end);
  const with_ =
    call.people.length > named
      ? t("call.inCall", { n: call.people.length })
      : call.people.length > 0
        ? t("call.rowWith", { names: names(t, call.people) })
        : "";
  return [call.seconds > 0 ? duration(call.seconds) : "", with_].filter(Boolean).join(" · ");
}
