import {
  Hand,
  Mic,
  MicOff,
  MonitorUp,
  MonitorX,
  PhoneOff,
  Settings2,
  SmilePlus,
  Users,
  Video,
  VideoOff,
} from "lucide-react";
import type { ReactNode } from "react";
import { Button as AriaButton } from "react-aria-components/Button";
import { DialogTrigger } from "react-aria-components/Dialog";
import { Popover } from "react-aria-components/Popover";
import { useText } from "../../i18n/text.ts";
import type { LiveCall } from "../../model/call/live.ts";
import { useSnapshot } from "../../model/useSnapshot.ts";
import css from "./Call.module.css";

const emojis = ["👍", "👏", "❤️", "😂", "🎉", "😮", "🤔", "👋"] as const;

export type Pane = "people" | "devices";

// Controls are what one does in a call, in one row at the bottom.
export function Controls({
  live,
  canShare,
  pane,
  onPane,
  onSay,
}: {
  live: LiveCall;
  canShare: boolean;
  pane: Pane | undefined;
  onPane: (pane: Pane) => void;
  onSay: (text: string) => void;
}) {
  const t = useText();
  const { hand, call, knocks } = useSnapshot(live.state);
  const { microphone, held, camera, screen } = useSnapshot(live.own.state);
  const heard = microphone.on || held;
  const share = async () => {
    const trouble = await live.own.setScreen(screen.picture === undefined);
    if (trouble && trouble !== "cancelled") onSay(t("call.screenFailed"));
  };
  const others = (call?.people.length ?? 1) > 1;
  return (
    <div className={css.controls} role="toolbar" aria-label={t("call.controls")}>
      <Switch
        label={t(heard ? "call.mute" : "call.unmute")}
        look={heard ? "plain" : "off"}
        onPress={() => void live.own.setMicrophone(!microphone.on)}
      >
        {heard ? <Mic size={22} /> : <MicOff size={22} />}
      </Switch>
      <Switch
        label={t(camera.on ? "call.cameraStop" : "call.cameraOn")}
        look={camera.on ? "on" : "plain"}
        onPress={() => void live.own.setCamera(!camera.on)}
      >
        {camera.on ? <Video size={22} /> : <VideoOff size={22} />}
      </Switch>
      {canShare && (
        <Switch
          label={t(screen.picture ? "call.screenStop" : "call.screenOn")}
          look={screen.picture ? "on" : "plain"}
          onPress={() => void share()}
        >
          {screen.picture ? <MonitorX size={22} /> : <MonitorUp size={22} />}
        </Switch>
      )}
      {others && (
        <>
          <Switch
            label={t(hand ? "call.handDown" : "call.hand")}
            look={hand ? "on" : "plain"}
            onPress={() => live.setHand(!hand)}
          >
            <Hand size={22} />
          </Switch>
          <DialogTrigger>
            <AriaButton className={css.control ?? ""} data-look="plain" aria-label={t("call.react")}>
              <SmilePlus size={22} />
            </AriaButton>
            <Popover className={css.emojis ?? ""} placement="top" offset={10} aria-label={t("call.react")}>
              {emojis.map((emoji) => (
                <button key={emoji} type="button" onClick={() => void live.react(emoji)}>
                  {emoji}
                </button>
              ))}
            </Popover>
          </DialogTrigger>
        </>
      )}
      <Switch
        label={t("call.people")}
        look={pane === "people" ? "on" : "plain"}
        pressed={pane === "people"}
        mark={knocks.length}
        onPress={() => onPane("people")}
      >
        <Users size={22} />
      </Switch>
      <Switch
        label={t("call.devices")}
        look={pane === "devices" ? "on" : "plain"}
        pressed={pane === "devices"}
        onPress={() => onPane("devices")}
      >
        <Settings2 size={22} />
      </Switch>
      <button
        type="button"
        className={css.control}
        data-look="bad"
        aria-label={t(live.entry.room.kind === "direct" ? "call.hangUp" : "call.leave")}
        title={t(live.entry.room.kind === "direct" ? "call.hangUp" : "call.leave")}
        onClick={() => live.leave()}
      >
        <PhoneOff size={22} />
      </button>
    </div>
  );
}

// Switch is a round button whose label says what pressing it does.
export function Switch({
  label,
  look,
  pressed,
  mark = 0,
  onPress,
  children,
}: {
  label: string;
  look: "plain" | "on" | "off";
  pressed?: boolean;
  mark?: number;
  onPress: () => void;
  children: ReactNode;
}) {
  return (
    <button
      type="button"
      className={css.control}
      data-look={look}
      aria-label={mark > 0 ? `${label}, ${mark}` : label}
      aria-pressed={pressed}
      data-mark={mark || undefined}
      title={label}
      onClick={onPress}
    >
      {children}
    </button>
  );
}
