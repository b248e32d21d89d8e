import { useCallback, useEffect, useState } from "react";
import { createPortal } from "react-dom";
import type { Call } from "../../core/api.gen.ts";
import { useText } from "../../i18n/text.ts";
import type { Media } from "../../media/media.ts";
import type { LiveCall } from "../../model/call/live.ts";
import type { Model } from "../../model/model.ts";
import { useSnapshot } from "../../model/useSnapshot.ts";
import { Dialog } from "../../ui/Dialog.tsx";
import { CallCheck } from "./CallCheck.tsx";
import { CallScreen } from "./CallScreen.tsx";
import { KnockAtDoor } from "./KnockAtDoor.tsx";
import { Lobby } from "./Lobby.tsx";
import { Mini } from "./Mini.tsx";
import { OverCard } from "./OverCard.tsx";
import { canPip, usePip } from "./pip.ts";
import { Ringing } from "./Ringing.tsx";

// CallHost is everything about calls that lies over the chats: what rings, the
// lobby, the call itself, large or small, and how it ended.
// biome-ignore lint/style/noDefaultExport: React.lazy asks for it
export default function CallHost({
  model,
  link,
  onLinkDone,
}: {
  model: Model;
  link: string | undefined; // by which somebody asks to be let into a call
  onLinkDone: () => void;
}) {
  const { rings } = useSnapshot(model.calls.list);
  const live = useSnapshot(model.calls.live);
  const [checking, setChecking] = useState(false);
  const ring = rings[0];
  return (
    <>
      {live && <Shown key={live.key} live={live} model={model} onCheck={() => setChecking(true)} />}
      {ring && (
        <Ringing
          key={ring.call}
          ring={ring}
          busy={live !== undefined}
          onAnswer={(video) => void model.calls.answer(ring, video)}
          onDecline={() => void model.calls.decline(ring)}
        />
      )}
      {link && <KnockAtDoor model={model} link={link} onClose={onLinkDone} />}
      {checking && <CheckDialog model={model} onClose={() => setChecking(false)} />}
    </>
  );
}

function CheckDialog({ model, onClose }: { model: Model; onClose: () => void }) {
  const t = useText();
  return (
    <Dialog title={t("check.title")} onClose={onClose}>
      <CallCheck model={model} />
    </Dialog>
  );
}

function Shown({ live, model, onCheck }: { live: LiveCall; model: Model; onCheck: () => void }) {
  const { stage, full } = useSnapshot(live.state);
  const me = useSnapshot(model.session.status)?.me;
  const call: Call | undefined = useSnapshot(model.calls.list).byRoom.get(live.entry.room.id);
  const media = live.media;
  const close = useCallback(() => model.calls.close(), [model]);
  switch (stage.at) {
    case "lobby":
      return (
        <Lobby
          live={live}
          media={media}
          call={call}
          me={{ id: me?.id ?? "", name: me?.name ?? "" }}
          onEnter={(ring) => void live.enter({ call: call?.id, ring })}
          onCheck={onCheck}
          onClose={close}
        />
      );
    case "over":
      return (
        <OverCard
          over={stage.over}
          live={live}
          onClose={close}
          onAgain={() => {
            const { room, video } = live.entry;
            model.calls.close();
            void model.calls.dial(room, video);
          }}
        />
      );
    default:
      return <Going live={live} model={model} media={media} full={full} onCheck={onCheck} />;
  }
}

function Going({
  live,
  model,
  media,
  full,
  onCheck,
}: {
  live: LiveCall;
  model: Model;
  media: Media;
  full: boolean;
  onCheck: () => void;
}) {
  const [pip, openPip, closePip] = usePip();
  useEffect(() => {
    if (full) closePip();
  }, [full, closePip]);
  const enlarge = () => {
    closePip();
    live.look({ full: true });
  };
  const toPip = async () => {
    if (await openPip()) live.look({ full: false });
  };
  if (pip) return createPortal(<Mini live={live} floats={false} onFull={enlarge} />, pip.document.body);
  if (!full) return <Mini live={live} floats onFull={enlarge} />;
  return (
    <CallScreen
      live={live}
      model={model}
      media={media}
      onPip={canPip() ? () => void toPip() : undefined}
      onCheck={onCheck}
    />
  );
}
