import type { Key, Text } from "./text.ts";

const day = 86_400_000;

// Formats are costly to make and there are few.
const made = new Map<string, Intl.DateTimeFormat>();

// English dates are written day first and with 24 hours, as the clock of the
// messages is; "en" alone would mean the American way.
const written = { en: "en-GB", ru: "ru" } as const;

function format(language: keyof typeof written, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = language + JSON.stringify(options);
  const f = made.get(key) ?? new Intl.DateTimeFormat(written[language], options);
  made.set(key, f);
  return f;
}

// days is how many midnights lie between two moments, by the clock on the wall.
function days(from: number, to: number): number {
  const midnight = (t: number) => new Date(t).setHours(0, 0, 0, 0);
  return Math.round((midnight(to) - midnight(from)) / day);
}

// clock is the time of day: 14:05.
export function clock(t: Text, time: number): string {
  return format(t.language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(time);
}

// dayName is what a day chip says.
export function dayName(t: Text, time: number, now = Date.now()): string {
  const ago = days(time, now);
  if (ago === 0) return t("when.today");
  if (ago === 1) return t("when.yesterday");
  const sameYear = new Date(time).getFullYear() === new Date(now).getFullYear();
  if (ago > 1 && ago < 7) return format(t.language, { weekday: "long" }).format(time);
  return format(t.language, { day: "numeric", month: "long", ...(sameYear ? {} : { year: "numeric" }) }).format(time);
}

// listTime is the short moment in the chat list: a time, a weekday or a date.
export function listTime(t: Text, time: number, now = Date.now()): string {
  const ago = days(time, now);
  if (ago <= 0) return clock(t, time);
  if (ago < 7) return format(t.language, { weekday: "short" }).format(time);
  const sameYear = new Date(time).getFullYear() === new Date(now).getFullYear();
  return sameYear
    ? format(t.language, { day: "numeric", month: "short" }).format(time)
    : format(t.language, { day: "2-digit", month: "2-digit", year: "2-digit" }).format(time);
}

// moment is a whole date with its time.
export function moment(t: Text, time: number): string {
  return format(t.language, { dateStyle: "medium", timeStyle: "short" }).format(time);
}

// ago is how long back something lies, roughly.
export function ago(t: Text, time: number, now = Date.now()): string {
  const seconds = Math.max(0, Math.round((now - time) / 1000));
  if (seconds < 60) return t("when.justNow");
  const relative = new Intl.RelativeTimeFormat(t.language, { numeric: "auto" });
  if (seconds < 3600) return relative.format(-Math.floor(seconds / 60), "minute");
  if (seconds < 86_400) return relative.format(-Math.floor(seconds / 3600), "hour");
  if (seconds < 30 * 86_400) return relative.format(-days(time, now), "day");
  return format(t.language, { dateStyle: "medium" }).format(time);
}

// soon is when something may be tried again: in 3 minutes.
function soon(t: Text, ms: number): string {
  const relative = new Intl.RelativeTimeFormat(t.language);
  const seconds = Math.max(1, Math.ceil(ms / 1000));
  return seconds <= 90 ? relative.format(seconds, "second") : relative.format(Math.ceil(seconds / 60), "minute");
}

const until: Partial<Record<Key, Key>> = { "fail.busy": "fail.busyUntil", "fail.attempts": "fail.attemptsUntil" };

// refused says why something was not done, and when to try again if the server said
// so: retry milliseconds from then, 0 if it did not.
export function refused(t: Text, why: Key, retry: number): string {
  const later = retry > 0 ? until[why] : undefined;
  return later ? t(later, { when: soon(t, retry) }) : t(why);
}

// size is a number of bytes for people: 1.4 MB.
export function size(t: Text, bytes: number): string {
  if (bytes < 1024) return t("size.b", { n: bytes });
  const units = ["size.kb", "size.mb", "size.gb"] as const;
  let value = bytes / 1024;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  const n = new Intl.NumberFormat(t.language, { maximumFractionDigits: value < 10 ? 1 : 0 }).format(value);
  return t(units[unit] ?? "size.gb", { n });
}

// names joins names as the language does: a, b and c.
export function names(t: Text, list: readonly string[]): string {
  return new Intl.ListFormat(t.language, { type: "conjunction" }).format(list);
}

// duration is a length of time as clocks show it: 2:05, 1:02:05.
export function duration(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds));
  const two = (n: number) => String(n).padStart(2, "0");
  const hours = Math.floor(s / 3600);
  return hours > 0 ? `${hours}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}` : `${Math.floor(s / 60)}:${two(s % 60)}`;
}
