import { Hand, MicOff, Pin, PinOff, ShieldAlert, WifiOff } from "lucide-react";
import { memo } from "react";
import { useText } from "../../i18n/text.ts";
import type { Tile as Place } from "../../model/call/gallery.ts";
import { Avatar } from "../../ui/Avatar.tsx";
import { IconButton } from "../../ui/Button.tsx";
import { Picture } from "./Picture.tsx";
import css from "./Stage.module.css";

// Tile is one participant, or a shared screen. A device that has no leaf in the
// room's tree cannot be verified, and nothing of it is shown.
export const Tile = memo(function Tile({
  tile: { who, source },
  track,
  paused,
  speaks,
  pinned,
  small,
  face,
  onPin,
}: {
  tile: Place;
  track: MediaStreamTrack | undefined;
  paused: boolean;
  speaks: boolean;
  pinned: boolean;
  small: boolean;
  face: number; // px
  onPin: (() => void) | undefined;
}) {
  const t = useText();
  const screen = source === "screen";
  const unverified = who.leaf < 0 && !who.me;
  const name = who.me ? t("call.me") : who.name;
  const label = screen ? t("call.tileScreen", { name }) : name;
  const states = [
    unverified ? t("call.unverified") : "",
    who.away ? t("call.stateAway") : "",
    who.known && who.muted && !screen ? t("call.stateMuted") : "",
    speaks && !screen ? t("call.stateSpeaks") : "",
    who.hand && !screen ? t("call.stateHand") : "",
  ].filter(Boolean);
  return (
    <li
      className={css.tile}
      data-speaks={(speaks && !screen) || undefined}
      data-screen={screen || undefined}
      data-small={small || undefined}
      data-tile={`${who.number} ${source}`}
    >
      {track && !unverified ? (
        <Picture track={track} mirrored={who.me && !screen} whole={screen} />
      ) : (
        <span className={css.face}>
          {unverified ? (
            <span className={css.unverified}>
              <ShieldAlert size={small ? 22 : 36} aria-hidden="true" />
              <strong>{t("call.unverified")}</strong>
              {!small && <small>{t("call.unverifiedLead")}</small>}
            </span>
          ) : (
            <Avatar id={who.account} name={who.name} size={face} />
          )}
          {!small && !unverified && (screen || who.camera) && !who.me && (
            <small>{t(paused ? "call.paused" : "call.waitPicture")}</small>
          )}
        </span>
      )}
      <span className={css.label}>
        {who.away && <WifiOff size={15} aria-hidden="true" />}
        {who.hand > 0 && !screen && <Hand size={15} aria-hidden="true" />}
        {who.known && who.muted && !screen && <MicOff size={15} aria-hidden="true" />}
        <span>{label}</span>
        {states.length > 0 && <span className="unseen">, {states.join(", ")}</span>}
      </span>
      {onPin && (
        <span className={css.pin}>
          <IconButton
            label={t(pinned ? "call.unpin" : "call.pin", { name })}
            look="veil"
            size={34}
            aria-pressed={pinned}
            onClick={onPin}
          >
            {pinned ? <PinOff size={17} /> : <Pin size={17} />}
          </IconButton>
        </span>
      )}
    </li>
  );
});
