import { duration } from "../../i18n/format.ts";
import type { Key, Text } from "../../i18n/text.ts";
import type { Trouble } from "../../media/media.ts";
import type { LiveState, Over } from "../../model/call/live.ts";
import type { Grade, Weakness } from "../../model/call/quality.ts";

/** troubleText says why a device cannot be used. */
export function troubleText(t: Text, trouble: Trouble): string {
  const keys = {
    denied: "call.denied",
    none: "call.noDevice",
    busy: "call.deviceBusy",
    cancelled: "fail.cancelled",
  } as const satisfies Record<Trouble, Key>;
  return t(keys[trouble]);
}

/** overText says how a call ended. */
export function overText(t: Text, over: Over): string {
  switch (over.why) {
    case "declined":
      return t("call.overDeclined", { name: over.name });
    case "busy":
      return t("call.overBusy", { name: over.name });
    case "none":
      return t("call.overNone", { name: over.name });
    default: {
      const keys = {
        left: "call.overLeft",
        ended: "call.overEnded",
        removed: "call.overRemoved",
        refused: "call.overRefused",
        elsewhere: "call.overElsewhere",
        lost: "call.overLost",
        unsealed: "call.overUnsealed",
        failed: "call.overFailed",
      } as const satisfies Record<string, Key>;
      return t(keys[over.why]);
    }
  }
}

/** stageText is the line below the name: what one waits for, or how long it has been. */
export function stageText(
  t: Text,
  { stage, call, rung }: LiveState,
  name: string,
  direct: boolean,
  now: number,
): string {
  if (stage.at === "again") return t("call.again");
  if (stage.at === "joining") return direct && !call ? t("call.calling", { name }) : t("call.connecting");
  const alone = !call?.people.some((p) => !p.me);
  if (direct && alone && call) {
    const rings = [...rung.values()];
    if (rings.some((r) => r.how === "ringing")) return t("call.ringing", { name });
    const last = rings.at(-1);
    if (last && last.how !== "ringing") return overText(t, { why: last.how, name: last.name });
    return t("call.calling", { name });
  }
  return call ? duration((now - call.started) / 1000) : "";
}

export const gradeKeys = {
  unknown: "call.netUnknown",
  good: "call.netGood",
  fair: "call.netFair",
  poor: "call.netPoor",
} as const satisfies Record<Grade, Key>;

export const weaknessKeys = {
  up: "call.netUp",
  down: "call.netDown",
  slow: "call.netSlow",
} as const satisfies Record<Exclude<Weakness, undefined>, Key>;
