import { Suspense, useEffect, useState } from "react";
import { useHashLocation } from "wouter/use-hash-location";
import type { AccountID, Room, RoomID, Status } from "../core/api.gen.ts";
import { Conversation } from "../features/conversation/Conversation.tsx";
import { conversationParts } from "../features/conversation/parts.ts";
import { NoticeStack } from "../features/notices/Notices.tsx";
import { RoomList } from "../features/rooms/RoomList.tsx";
import { useText } from "../i18n/text.ts";
import type { LiveState } from "../model/call/live.ts";
import type { Model } from "../model/model.ts";
import { unreadTotal } from "../model/rooms.ts";
import type { Snapshots } from "../model/store.ts";
import { useSnapshot } from "../model/useSnapshot.ts";
import { Bell } from "../ui/Bell.tsx";
import { Boundary } from "../ui/Boundary.tsx";
import { Button } from "../ui/Button.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { PendingDevice } from "../ui/PendingDevice.tsx";
import type { Choices } from "./choices.ts";
import { callLinkOf } from "./link.ts";
import css from "./Main.module.css";
import { CallCheck, CallHost, DetailsPane, fetchParts, NewChat, Settings } from "./parts.ts";
import { parseRoute, roomPath } from "./route.ts";

type Over = { kind: "settings"; part?: "devices" | "password" | "recovery" | "invite" } | { kind: "new" };

// Main is the three panes: the list, a conversation, its details. On a phone
// they are three screens.
export function Main({ model, status, choices }: { model: Model; status: Status; choices: Choices }) {
  const t = useText();
  const [path, go] = useHashLocation();
  const route = parseRoute(path);
  const { byId, rooms, loaded } = useSnapshot(model.rooms.list);
  const chosen = useSnapshot(choices.chosen);
  const [over, setOver] = useState<Over>();
  const room = route.at === "room" ? byId.get(route.room) : undefined;
  const details = route.at === "room" && route.details;

  const inCall = useFullCall(model);
  // A direct room is made by its first call, too, and may then have another id.
  const place = useMovedRoom(model, route.at === "room" ? route.room : undefined);
  useEffect(() => {
    if (place) go(roomPath(place), { replace: true });
  }, [place, go]);
  useTitle(unreadTotal(rooms));
  useEffect(() => fetchParts(conversationParts), []);

  // A room that is not here any more, or never was.
  const lost = loaded && route.at === "room" && !room;
  useEffect(() => {
    if (lost) go("/", { replace: true });
  }, [lost, go]);

  const open = (r: Room) => {
    setOver(undefined);
    go(roomPath(r.id));
  };
  const openPerson = async (person: AccountID) => {
    const got = await model.openDirect(person);
    if (got.ok) open(got.value);
  };
  const invite = status.admin ? () => setOver({ kind: "settings", part: "invite" }) : undefined;
  const toggleDetails = () => {
    if (!room) return;
    if (details && history.length > 1) history.back();
    else go(roomPath(room.id, !details), { replace: details });
  };

  return (
    <>
      <div className={css.app} data-at={details ? "details" : room ? "room" : "list"} inert={inCall}>
        <NoticeStack
          severe
          notices={model.notices.list}
          people={model.people.list}
          rooms={model.rooms.list}
          onDismiss={(id) => void model.notices.dismiss(id)}
          onSettings={(part) => setOver({ kind: "settings", part })}
        />
        <main className={css.panes}>
          <h1 className="unseen">{t("app.name")}</h1>
          <div className={css.list}>
            <RoomList
              list={model.rooms.list}
              people={model.people.list}
              typing={model.typing.rooms}
              connection={model.connection.shown}
              calls={model.calls.list}
              open={room?.id}
              onPerson={(p) => void openPerson(p.id)}
              onNew={() => setOver({ kind: "new" })}
              onInvite={invite}
              onMenu={() => setOver({ kind: "settings" })}
            />
          </div>
          <div className={css.room}>
            {room ? (
              <Conversation
                key={room.id}
                model={model}
                room={room}
                maxFile={status.maxFile}
                detailsOpen={details}
                onBack={() => go("/")}
                onDetails={toggleDetails}
                onMoved={(id) => {
                  model.rooms.put({ ...room, id });
                  go(roomPath(id), { replace: true });
                }}
              />
            ) : (
              <Nothing />
            )}
          </div>
          {room && details && (
            <div className={css.details}>
              <Boundary instead={() => <Unfetched onClose={toggleDetails} />}>
                <Suspense fallback={null}>
                  <DetailsPane
                    key={room.id}
                    model={model}
                    room={room}
                    onClose={toggleDetails}
                    onPerson={(id) => void openPerson(id)}
                  />
                </Suspense>
              </Boundary>
            </div>
          )}
        </main>
        <NoticeStack
          severe={false}
          notices={model.notices.list}
          people={model.people.list}
          rooms={model.rooms.list}
          onDismiss={(id) => void model.notices.dismiss(id)}
          onSettings={(part) => setOver({ kind: "settings", part })}
        />
        <Boundary key={over?.kind ?? "none"} instead={() => <Unfetched onClose={() => setOver(undefined)} />}>
          <Suspense fallback={null}>
            {over?.kind === "settings" && (
              <Settings
                model={model}
                status={status}
                start={over.part}
                callCheck={
                  <Suspense fallback={null}>
                    <CallCheck model={model} />
                  </Suspense>
                }
                choices={{
                  ...chosen,
                  setTheme: (theme) => choices.setTheme(theme),
                  setLanguage: (language) => choices.setLanguage(language),
                }}
                onClose={() => setOver(undefined)}
              />
            )}
            {over?.kind === "new" && (
              <NewChat
                people={model.people.list}
                makes={model}
                onOpen={open}
                onInvite={invite}
                onClose={() => setOver(undefined)}
              />
            )}
          </Suspense>
        </Boundary>
        {over?.kind !== "settings" && <Knocking model={model} />}
        <p className="unseen" role="status">
          {room ? (room.self ? t("rooms.self") : room.title) : ""}
        </p>
      </div>
      <CallLayer model={model} />
    </>
  );
}

// useFullCall says whether a call fills the window: then nothing behind it is reached.
function useFullCall(model: Model): boolean {
  const live = useSnapshot(model.calls.live);
  const state = useSnapshot(live?.state ?? noCall);
  return state?.full === true && !["lobby", "over"].includes(state.stage.at);
}

// useMovedRoom is where a room stands now that was only planned when it was called.
function useMovedRoom(model: Model, room: RoomID | undefined): RoomID | undefined {
  const live = useSnapshot(model.calls.live);
  const now = useSnapshot(live?.state ?? noCall)?.call?.room;
  return live && room === live.entry.room.id && now !== room ? now : undefined;
}

const noCall: Snapshots<LiveState | undefined> = { snapshot: () => undefined, subscribe: () => () => {} };

// CallLayer fetches what shows calls when there is something to show.
function CallLayer({ model }: { model: Model }) {
  const { rings } = useSnapshot(model.calls.list);
  const live = useSnapshot(model.calls.live);
  const unfetched = useSnapshot(model.calls.unfetched);
  const [link, setLink] = useState(() => callLinkOf(location));
  useEffect(() => {
    // The secret of the link leaves the address bar.
    if (link) history.replaceState(null, "", "/");
  }, [link]);
  if (unfetched) return <Unfetched onClose={() => model.calls.unfetched.set(false)} />;
  if (!live && rings.length === 0 && !link) return null;
  return (
    <Boundary key={live?.key ?? "none"} instead={() => <Unfetched onClose={() => model.calls.hangUp()} />}>
      <Suspense fallback={null}>
        <CallHost model={model} link={link} onLinkDone={() => setLink(undefined)} />
      </Suspense>
    </Boundary>
  );
}

// Knocking asks about a device that waits to be let in, wherever one is.
function Knocking({ model }: { model: Model }) {
  const t = useText();
  const devices = useSnapshot(model.devices.list) ?? [];
  const [later, setLater] = useState<readonly string[]>([]);
  const [rejected, setRejected] = useState(false);
  const waiting = devices.find((d) => d.state === "pending" && !later.includes(d.id));
  if (rejected) {
    const close = () => setRejected(false);
    return (
      <Dialog
        title={t("devices.reject")}
        onClose={close}
        foot={
          <Button look="main" onClick={close}>
            {t("do.close")}
          </Button>
        }
      >
        <p>{t("devices.rejected")}</p>
      </Dialog>
    );
  }
  if (!waiting) return null;
  const close = () => setLater([...later, waiting.id]);
  return (
    <Dialog
      title={t("devices.askTitle")}
      onClose={close}
      foot={
        <Button look="quiet" onClick={close}>
          {t("devices.later")}
        </Button>
      }
    >
      <PendingDevice
        key={waiting.id}
        titled={false}
        name={waiting.name}
        code={waiting.code ?? ""}
        allow={async () => {
          const got = await model.devices.approve(waiting.id);
          return got.ok ? undefined : t(`fail.${got.failure.code}`);
        }}
        reject={async () => {
          const got = await model.devices.reject(waiting.id);
          setRejected(got.ok);
          return got.ok ? undefined : t(`fail.${got.failure.code}`);
        }}
      />
    </Dialog>
  );
}

// Unfetched says that a part of the app could not be fetched.
function Unfetched({ onClose }: { onClose: () => void }) {
  const t = useText();
  return (
    <Dialog title={t("entry.unreachable")} onClose={onClose}>
      <p>{t("fail.offline")}</p>
    </Dialog>
  );
}

function Nothing() {
  const t = useText();
  return (
    <div className={css.nothing}>
      <Bell size={72} />
      <p>{t("chat.pick")}</p>
    </div>
  );
}

function useTitle(unread: number): void {
  useEffect(() => {
    document.title = unread > 0 ? `(${unread}) Veche` : "Veche";
  }, [unread]);
}
