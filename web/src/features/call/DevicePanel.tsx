import { SignalHigh, SignalLow, SignalMedium } from "lucide-react";
import { useEffect, useId, useRef } from "react";
import { useText } from "../../i18n/text.ts";
import type { DeviceKind, Media } from "../../media/media.ts";
import type { LiveCall } from "../../model/call/live.ts";
import type { OwnMedia } from "../../model/call/own.ts";
import { gradeOf } from "../../model/call/quality.ts";
import { useSnapshot } from "../../model/useSnapshot.ts";
import { Button } from "../../ui/Button.tsx";
import css from "./Call.module.css";
import { gradeKeys, troubleText, weaknessKeys } from "./words.ts";

const titles = { microphone: "call.microphone", camera: "call.camera", speaker: "call.speaker" } as const;

// DeviceChoice chooses the microphone, camera or loudspeaker, also in the middle
// of a call.
export function DeviceChoice({ own, kind }: { own: OwnMedia; kind: DeviceKind }) {
  const t = useText();
  const id = useId();
  const { devices, chosen, microphone, camera } = useSnapshot(own.state);
  const of = devices.filter((d) => d.kind === kind);
  const trouble = kind === "microphone" ? microphone.trouble : kind === "camera" ? camera.trouble : undefined;
  if (kind === "speaker" && of.length === 0) return null; // the browser leaves it to the system
  const known = of.some((d) => d.id === chosen[kind]);
  return (
    <div className={css.device}>
      <label htmlFor={id}>{t(titles[kind])}</label>
      <select
        id={id}
        value={known ? chosen[kind] : ""}
        aria-invalid={trouble ? true : undefined}
        aria-describedby={trouble ? `${id}-said` : undefined}
        onChange={(e) => void own.choose(kind, e.target.value)}
      >
        <option value="">{t("call.default")}</option>
        {of
          .filter((d) => d.id !== "default")
          .map((d, n) => (
            <option key={d.id} value={d.id}>
              {d.name || t("call.deviceN", { n: n + 1 })}
            </option>
          ))}
      </select>
      {trouble && (
        <p id={`${id}-said`} role="alert">
          {troubleText(t, trouble)}{" "}
          <button
            type="button"
            onClick={() => void (kind === "camera" ? own.setCamera(true) : own.setMicrophone(true))}
          >
            {t("call.tryDevice")}
          </button>
        </p>
      )}
    </div>
  );
}

// LevelBar moves with one's voice. It is drawn past React, sixty times a second.
export function LevelBar({ own, media }: { own: OwnMedia; media: Media }) {
  const t = useText();
  const bar = useRef<HTMLDivElement>(null);
  const track = useSnapshot(own.state).microphone.track;
  useEffect(() => {
    if (!track) return;
    const meter = media.meter(track);
    let frame = requestAnimationFrame(function draw() {
      const level = meter.level();
      bar.current?.style.setProperty("--level", level.toFixed(3));
      bar.current?.setAttribute("aria-valuenow", String(Math.round(level * 100)));
      frame = requestAnimationFrame(draw);
    });
    return () => {
      cancelAnimationFrame(frame);
      meter.close();
    };
  }, [track, media]);
  return (
    // biome-ignore lint/a11y/useSemanticElements: a meter element cannot be drawn past React in our colours
    <div
      ref={bar}
      className={css.level}
      role="meter"
      aria-label={t("call.level")}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={0}
    >
      <span />
    </div>
  );
}

// DevicePanel is one's devices and how the network does.
export function DevicePanel({ live, media, onCheck }: { live: LiveCall; media: Media; onCheck: () => void }) {
  const t = useText();
  return (
    <div className={css.panel}>
      <DeviceChoice own={live.own} kind="microphone" />
      <LevelBar own={live.own} media={media} />
      <DeviceChoice own={live.own} kind="speaker" />
      <DeviceChoice own={live.own} kind="camera" />
      <Network live={live} />
      <Button look="plain" wide onClick={onCheck}>
        {t("check.title")}
      </Button>
    </div>
  );
}

const paths = { udp: "call.pathUdp", tcp: "call.pathTcp", tls: "call.pathTls" } as const;

function Network({ live }: { live: LiveCall }) {
  const t = useText();
  const { quality } = useSnapshot(live.state);
  const { grade, weakness } = gradeOf(quality);
  const percent = (n: number) => new Intl.NumberFormat(t.language, { maximumFractionDigits: 1 }).format(n / 10);
  const path = quality && quality.path in paths ? paths[quality.path as keyof typeof paths] : undefined;
  return (
    <div className={css.network} data-grade={grade} role="status">
      <GradeIcon grade={grade} />
      <div>
        <strong>{t(gradeKeys[grade])}</strong>
        {weakness && (
          <p>
            {t(weaknessKeys[weakness])} {t("call.netHint")}
          </p>
        )}
        {path && <p>{t(path)}</p>}
        {quality && (
          <small>
            {t("call.netNumbers", { up: percent(quality.lossUp), down: percent(quality.lossDown), rtt: quality.rtt })}
          </small>
        )}
      </div>
    </div>
  );
}

export function GradeIcon({ grade }: { grade: "unknown" | "good" | "fair" | "poor" }) {
  const Icon = grade === "poor" ? SignalLow : grade === "fair" ? SignalMedium : SignalHigh;
  return <Icon size={20} aria-hidden="true" />;
}
