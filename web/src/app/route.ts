import type { RoomID } from "../core/api.gen.ts";

// The place in the app stands behind the # of the address: it never reaches a
// server, and going back works as everywhere.
export type Route = { readonly at: "list" } | { readonly at: "room"; readonly room: RoomID; readonly details: boolean };

export function parseRoute(path: string): Route {
  const [, kind, id, part] = path.split("/");
  if (kind !== "r" || !id || !/^[a-z2-7]+$/i.test(id)) return { at: "list" };
  return { at: "room", room: id as RoomID, details: part === "info" };
}

export function roomPath(room: RoomID, details = false): string {
  return `/r/${room}${details ? "/info" : ""}`;
}
