import { Mic, MicOff, Video, VideoOff } from "lucide-react";
import { useState } from "react";
import type { Call } from "../../core/api.gen.ts";
import { names } from "../../i18n/format.ts";
import { useText } from "../../i18n/text.ts";
import type { Media } from "../../media/media.ts";
import type { LiveCall } from "../../model/call/live.ts";
import { useSnapshot } from "../../model/useSnapshot.ts";
import { Avatar } from "../../ui/Avatar.tsx";
import { Button } from "../../ui/Button.tsx";
import { Dialog } from "../../ui/Dialog.tsx";
import { Check } from "../../ui/Field.tsx";
import css from "./Call.module.css";
import { Switch } from "./Controls.tsx";
import { DeviceChoice, LevelBar } from "./DevicePanel.tsx";
import { Picture } from "./Picture.tsx";

// Lobby is where one looks at oneself before others do.
export function Lobby({
  live,
  media,
  call,
  me,
  onEnter,
  onCheck,
  onClose,
}: {
  live: LiveCall;
  media: Media;
  call: Call | undefined; // that goes on in the room
  me: { readonly id: string; readonly name: string };
  onEnter: (ring: boolean) => void;
  onCheck: () => void;
  onClose: () => void;
}) {
  const t = useText();
  const { microphone, camera } = useSnapshot(live.own.state);
  const [ring, setRing] = useState(false);
  const there = call?.people.filter((p) => !p.me).map((p) => p.name) ?? [];
  return (
    <Dialog
      title={live.entry.room.title}
      onClose={onClose}
      size="wide"
      foot={
        <>
          <Button look="quiet" onClick={onCheck}>
            {t("check.title")}
          </Button>
          <Button look="main" onClick={() => onEnter(ring)}>
            {t(call ? "call.joinNow" : "call.start")}
          </Button>
        </>
      }
    >
      <div className={css.lobby}>
        <div>
          <section className={css.preview} aria-label={t("call.preview")}>
            {camera.track ? (
              <Picture track={camera.track} mirrored />
            ) : (
              <span>
                <Avatar id={me.id} name={me.name} size={84} />
                <small>{t("call.cameraOff")}</small>
              </span>
            )}
            <div className={css.previewActs}>
              <Switch
                label={t(microphone.on ? "call.mute" : "call.unmute")}
                look={microphone.on ? "plain" : "off"}
                onPress={() => void live.own.setMicrophone(!microphone.on)}
              >
                {microphone.on ? <Mic size={21} /> : <MicOff size={21} />}
              </Switch>
              <Switch
                label={t(camera.on ? "call.cameraStop" : "call.cameraOn")}
                look={camera.on ? "plain" : "off"}
                onPress={() => void live.own.setCamera(!camera.on)}
              >
                {camera.on ? <Video size={21} /> : <VideoOff size={21} />}
              </Switch>
            </div>
          </section>
          <p className={css.there} role="status">
            {there.length > 0 ? t("call.lobbyIn", { names: names(t, there) }) : call ? t("call.lobbyNobody") : ""}
          </p>
        </div>
        <div className={css.panel}>
          <DeviceChoice own={live.own} kind="microphone" />
          <LevelBar own={live.own} media={media} />
          <DeviceChoice own={live.own} kind="speaker" />
          <DeviceChoice own={live.own} kind="camera" />
          {!call && <Check label={t("call.ringAll")} hint={t("call.ringAllHint")} checked={ring} onChange={setRing} />}
        </div>
      </div>
    </Dialog>
  );
}
