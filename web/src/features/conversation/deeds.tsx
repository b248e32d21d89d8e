import { Copy, Download, Pencil, Reply, RotateCcw, Trash2, Undo2 } from "lucide-react";
import type { Item, Room } from "../../core/api.gen.ts";
import type { Key, Text } from "../../i18n/text.ts";
import type { Entry } from "../../ui/Menu.tsx";

// Deeds is what one can do with a message.
export interface Deeds {
  reply(item: Item): void;
  edit(item: Item): void;
  remove(item: Item): void;
  retry(item: Item): void;
  drop(item: Item): void;
  copy(item: Item): void;
  save(item: Item, index: number): void;
  cancel(item: Item, index: number): void;
  view(item: Item, index: number): void;
  say(key: Key): void;
  call(video: boolean): void;
}

// entriesFor is the menu of a message: only what is possible with it.
export function entriesFor(t: Text, item: Item, room: Room, deeds: Deeds): readonly Entry[] {
  if (item.kind !== "message") return [];
  const entries: Entry[] = [];
  const add = (id: string, key: Key, icon: Entry["icon"], act: () => void, bad = false) =>
    entries.push({ id, label: t(key), icon, act, ...(bad ? { bad } : {}) });
  const open = room.state === "open";
  const files = item.files ?? [];
  if (item.state === "failed") add("retry", "chat.again", <RotateCcw size={18} />, () => deeds.retry(item));
  if (open && item.seq > 0) add("reply", "chat.reply", <Reply size={18} />, () => deeds.reply(item));
  if (item.text) add("copy", "chat.copy", <Copy size={18} />, () => deeds.copy(item));
  if (files.length > 0 && item.seq > 0) {
    add("save", files.length > 1 ? "chat.saveAll" : "chat.save", <Download size={18} />, () => {
      for (const n of files.keys()) deeds.save(item, n);
    });
  }
  if (open && item.mine && item.text && item.seq > 0)
    add("edit", "chat.edit", <Pencil size={18} />, () => deeds.edit(item));
  if (item.mine && item.seq === 0) add("drop", "chat.takeBack", <Undo2 size={18} />, () => deeds.drop(item), true);
  if (open && item.mine && item.seq > 0)
    add("delete", "chat.delete", <Trash2 size={18} />, () => deeds.remove(item), true);
  return entries;
}
