import type { Preview, Room } from "../core/api.gen.ts";
import { callTitle } from "./calls.ts";
import { changeText } from "./changes.ts";
import type { Text } from "./text.ts";

export interface PreviewLine {
  readonly lead?: string; // who, or "Draft:"
  readonly tone: "plain" | "draft" | "typing" | "note" | "bad";
  readonly text: string;
}

// previewLine is the second line of a row in the chat list.
export function previewLine(t: Text, room: Room, typing: readonly string[], open: boolean, me: string): PreviewLine {
  if (typing.length > 0) return { tone: "typing", text: typingText(t, typing, room.kind === "direct") };
  if (room.failed > 0) return { tone: "bad", text: t("rooms.failed") };
  if (room.draft?.trim() && !open) return { tone: "draft", lead: t("rooms.draft"), text: room.draft };
  if (room.state === "joining") return { tone: "note", text: t("rooms.joining") };
  const { last } = room;
  if (!last) return { tone: "note", text: t("rooms.noMessages") };
  if (last.change) return { tone: "note", text: changeText(t, last.change, me) };
  const lead = last.call
    ? undefined
    : last.mine
      ? t("rooms.you")
      : room.kind === "group" && last.name
        ? `${last.name}:`
        : undefined;
  return { tone: "plain", text: contentText(t, last), ...(lead && !room.self ? { lead } : {}) };
}

function contentText(t: Text, last: Preview): string {
  if (last.call) return callTitle(t, last.call, last.mine);
  if (last.text) return last.text;
  if (last.files > 1) return t("rooms.files", { n: last.files });
  if (last.files === 1) return last.photo ? t("rooms.photo") : t("rooms.file");
  return t("chat.deleted");
}

// typingText says who is writing.
export function typingText(t: Text, who: readonly string[], direct: boolean): string {
  const [first = "", second = ""] = who;
  if (direct) return t("chat.typingOne");
  if (who.length === 1) return t("chat.typingName", { name: first });
  if (who.length === 2) return t("chat.typingTwo", { first, second });
  return t("chat.typingMany", { n: who.length });
}
