import { Menu as MenuIcon, Search, SquarePen, X } from "lucide-react";
import { type KeyboardEvent, useDeferredValue, useEffect, useRef, useState } from "react";
import { VList, type VListHandle } from "virtua";
import type { Connection, Person, RoomID } from "../../core/api.gen.ts";
import { useText } from "../../i18n/text.ts";
import type { CallList } from "../../model/calls.ts";
import type { PeopleList } from "../../model/people.ts";
import { type RoomList as List, matching } from "../../model/rooms.ts";
import type { Snapshots } from "../../model/store.ts";
import type { TypingByRoom } from "../../model/typing.ts";
import { useSnapshot } from "../../model/useSnapshot.ts";
import { Avatar } from "../../ui/Avatar.tsx";
import { Bell } from "../../ui/Bell.tsx";
import { Button, IconButton } from "../../ui/Button.tsx";
import { Ring } from "../../ui/Ring.tsx";
import { RoomRow } from "./RoomRow.tsx";
import css from "./Rooms.module.css";

const nobody: readonly string[] = [];

// RoomList is the left pane: search, all rooms by time, and the state of the
// connection when it has been lost for a while.
export function RoomList({
  list,
  people,
  typing,
  connection,
  calls,
  open,
  onPerson,
  onNew,
  onInvite,
  onMenu,
}: {
  list: Snapshots<List>;
  people: Snapshots<PeopleList>;
  typing: Snapshots<TypingByRoom>;
  connection: Snapshots<Connection>;
  calls: Snapshots<CallList>;
  open: RoomID | undefined;
  onPerson: (person: Person) => void;
  onNew: () => void;
  onInvite: (() => void) | undefined; // for who may
  onMenu: () => void;
}) {
  const t = useText();
  const { rooms, loaded } = useSnapshot(list);
  const everybody = useSnapshot(people);
  const writing = useSnapshot(typing);
  const net = useSnapshot(connection);
  const { byRoom: callIn } = useSnapshot(calls);
  const [query, setQuery] = useState("");
  const search = useRef<HTMLInputElement>(null);
  const wanted = useDeferredValue(query);

  const shown = matching(rooms, wanted, (r) => (r.self ? t("rooms.self") : r.title));
  const others = wanted.trim() ? unlisted(everybody, rooms, wanted) : [];

  // Ctrl+K or ⌘K goes to the search from anywhere.
  useEffect(() => {
    const hear = (e: globalThis.KeyboardEvent) => {
      if (e.key.toLowerCase() !== "k" || !(e.ctrlKey || e.metaKey) || e.altKey || e.shiftKey) return;
      e.preventDefault();
      search.current?.focus();
    };
    addEventListener("keydown", hear);
    return () => removeEventListener("keydown", hear);
  }, []);

  const alone = everybody.loaded && everybody.people.every((p) => p.me);
  const me = everybody.people.find((p) => p.me)?.name ?? "";
  const rows = [
    ...shown.map((room) => (
      <RoomRow
        key={room.id}
        room={room}
        typing={writing.get(room.id) ?? nobody}
        online={room.peer !== undefined && (everybody.byId.get(room.peer)?.online ?? false)}
        calling={callIn.has(room.id)}
        open={room.id === open}
        me={me}
        focusable={room.id === open || (shown[0] === room && !shown.some((r) => r.id === open))}
      />
    )),
    ...(others.length > 0
      ? [
          <h2 key="people" className={css.section}>
            {t("rooms.people")}
          </h2>,
        ]
      : []),
    ...others.map((p, n) => (
      <button
        key={p.id}
        type="button"
        className={css.row}
        tabIndex={shown.length === 0 && n === 0 ? 0 : -1}
        data-room={p.id}
        onClick={() => {
          setQuery("");
          onPerson(p);
        }}
      >
        <Avatar id={p.id} name={p.name} size={50} online={p.online} />
        <span className={css.words}>
          <strong>{p.name}</strong>
          {p.shut && <small>{t("people.shut")}</small>}
        </span>
      </button>
    )),
  ];

  return (
    <nav className={css.pane} aria-label={t("rooms.title")}>
      <header className={css.head}>
        <IconButton label={t("rooms.menu")} onClick={onMenu}>
          <MenuIcon size={22} />
        </IconButton>
        <search className={css.search}>
          <Search size={18} aria-hidden="true" />
          <input
            ref={search}
            type="text"
            inputMode="search"
            value={query}
            placeholder={t("rooms.search")}
            aria-label={t("rooms.search")}
            autoComplete="off"
            spellCheck={false}
            onChange={(e) => setQuery(e.target.value)}
            onKeyDown={(e) => {
              if (e.key === "Escape") setQuery("");
            }}
          />
          {query && (
            <button type="button" aria-label={t("rooms.clear")} onClick={() => setQuery("")}>
              <X size={16} />
            </button>
          )}
        </search>
        <IconButton label={t("rooms.new")} onClick={onNew}>
          <SquarePen size={20} />
        </IconButton>
      </header>
      <p className={css.net} data-shown={net !== "online" || undefined} role="status">
        {net !== "online" && (
          <>
            {net === "connecting" && <Ring size={16} label={t("net.connecting")} />}
            {t(net === "connecting" ? "net.connecting" : "net.offline")}
          </>
        )}
      </p>
      {loaded && rows.length === 0 ? (
        <Nothing query={wanted} onNew={onNew} onInvite={alone ? onInvite : undefined} />
      ) : (
        <Rows key={wanted ? "found" : "all"} rows={rows} />
      )}
    </nav>
  );
}

// Rows can be walked through with the arrow keys; Tab goes past them.
function Rows({ rows }: { rows: readonly React.ReactElement[] }) {
  const handle = useRef<VListHandle>(null);
  const box = useRef<HTMLDivElement>(null);
  const walk = (e: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[e.key];
    const here = (e.target as HTMLElement).closest<HTMLElement>("[data-room]")?.dataset.room;
    if (!step || !here) return;
    e.preventDefault();
    const keys = rows.map((r) => r.key);
    let n = keys.indexOf(here) + step;
    if (keys[n] === "people") n += step;
    const key = keys[n];
    if (!key) return;
    handle.current?.scrollToIndex(n, { align: "nearest" });
    requestAnimationFrame(() => box.current?.querySelector<HTMLElement>(`[data-room="${CSS.escape(key)}"]`)?.focus());
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the keys belong to the links inside
    <div className={css.list} ref={box} onKeyDown={walk}>
      <VList ref={handle} className={css.scroller ?? ""} bufferSize={400}>
        {rows as React.ReactElement[]}
      </VList>
    </div>
  );
}

// Nothing says how to begin: who is alone at the site and may invite does that first.
function Nothing({ query, onNew, onInvite }: { query: string; onNew: () => void; onInvite: (() => void) | undefined }) {
  const t = useText();
  if (query.trim()) return <p className={css.nothing}>{t("rooms.nothing", { query: query.trim() })}</p>;
  return (
    <div className={css.empty}>
      <span className={css.bell}>
        <Bell size={40} />
      </span>
      <h2>{t(onInvite ? "new.alone" : "rooms.empty")}</h2>
      <p>{t(onInvite ? "new.aloneLead" : "rooms.emptyLead")}</p>
      <Button look="main" onClick={onInvite ?? onNew}>
        {t(onInvite ? "settings.invite" : "rooms.new")}
      </Button>
    </div>
  );
}

// unlisted is who matches the query and has no direct room in the list yet.
function unlisted(people: PeopleList, rooms: List["rooms"], query: string): readonly Person[] {
  const listed = new Set(rooms.map((r) => r.peer));
  return matching(
    people.people.filter((p) => !p.me && !listed.has(p.id)),
    query,
    (p) => p.name,
  );
}
