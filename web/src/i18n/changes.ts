import type { Change, Notice } from "../core/api.gen.ts";
import { moment, names } from "./format.ts";
import type { Key, Text } from "./text.ts";

// changeText says what happened to a room, in one sentence. me is the reader's
// own name, which becomes "you".
export function changeText(t: Text, change: Change, me: string): string {
  const others = (change.who ?? []).filter((name) => !change.you || name !== me);
  const who = names(t, change.you ? [...others, t("change.you")] : others);
  const values = { by: change.by, who, name: change.name ?? "" };
  const say = (theirs: Key, mine: Key) => t(change.me ? mine : theirs, values);
  switch (change.kind) {
    case "created":
      return change.name
        ? say("change.createdNamed", "change.createdNamedMe")
        : say("change.created", "change.createdMe");
    case "added":
      return say("change.added", "change.addedMe");
    case "removed":
      return say("change.removed", "change.removedMe");
    case "left":
      return say("change.left", "change.leftMe");
    case "renamed":
      return say("change.renamed", "change.renamedMe");
    case "owner":
      return say("change.owner", "change.ownerMe");
    case "no_owner":
      return say("change.noOwner", "change.noOwnerMe");
    case "device_joined":
      return t(change.you || change.me ? "change.deviceJoinedYou" : "change.deviceJoined", { who: who || change.by });
    case "device_gone":
      return t(change.you || change.me ? "change.deviceGoneYou" : "change.deviceGone", { who: who || change.by });
  }
}

// noticeText is the headline and the plain words of a notice. A code that is
// newer than this page still says that something is the matter.
export function noticeText(t: Text, notice: Notice, who: string, room: string): { title: string; text: string } {
  const known = `notice.${notice.code}` in knownNotices;
  if (!known) return { title: t("notice.unknown"), text: t("notice.unknownText") };
  const values = {
    who: who || t("notice.someone"),
    room: room ? t("notice.room", { name: room }) : t("notice.someRoom"),
    when: moment(t, notice.time),
  };
  return { title: t(`notice.${notice.code}`), text: t(`notice.${notice.code}Text`, values) };
}

const knownNotices = {
  "notice.identity_rollback": true,
  "notice.identity_reset": true,
  "notice.unlisted_device": true,
  "notice.log_forked": true,
  "notice.split_view": true,
  "notice.replay": true,
  "notice.bad_commit": true,
  "notice.old_epoch": true,
  "notice.site_restored": true,
  "notice.restored_often": true,
  "notice.members_back": true,
  "notice.members_lost": true,
  "notice.devices_refused": true,
  "notice.new_device": true,
  "notice.password_changed": true,
  "notice.password_reset": true,
  "notice.reset_link": true,
  "notice.storage": true,
  "notice.no_recovery_key": true,
} as const satisfies Record<`notice.${Notice["code"]}`, true>;
