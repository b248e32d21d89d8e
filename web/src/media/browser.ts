import { PeerLine } from "./line.ts";
import type { DeviceKind, Got, Media, Meter, Screen, Sound, Trouble } from "./media.ts";
import { tryPath } from "./paths.ts";
import { canSeal } from "./sealer.ts";

const kinds: Record<string, DeviceKind> = { audioinput: "microphone", videoinput: "camera", audiooutput: "speaker" };

/** browserMedia is this browser's own media. */
export function browserMedia(): Media {
  const devices = navigator.mediaDevices;
  return {
    canSeal: canSeal(),
    canShare: typeof devices?.getDisplayMedia === "function",
    microphone: (id) =>
      oneTrack({
        audio: {
          echoCancellation: true,
          noiseSuppression: true,
          autoGainControl: true,
          ...(id ? { deviceId: { exact: id } } : {}),
        },
      }),
    camera: (id) =>
      oneTrack({
        video: {
          width: { ideal: 1280 },
          height: { ideal: 720 },
          frameRate: { ideal: 30, max: 30 },
          ...(id ? { deviceId: { exact: id } } : { facingMode: "user" }),
        },
      }),
    screen,
    devices: async () =>
      (await devices.enumerateDevices()).flatMap((d) => {
        const kind = kinds[d.kind];
        return kind && d.deviceId ? [{ id: d.deviceId, kind, name: d.label }] : [];
      }),
    onDevices: (hear) => {
      devices.addEventListener("devicechange", hear);
      return () => devices.removeEventListener("devicechange", hear);
    },
    meter: (track) => new TrackMeter(track),
    line: (cfg) => new PeerLine(cfg),
    sound: () => new SlotSound(),
    tryPath,
  };
}

async function oneTrack(wanted: MediaStreamConstraints): Promise<Got<MediaStreamTrack>> {
  try {
    const track = (await navigator.mediaDevices.getUserMedia(wanted)).getTracks()[0];
    return track ? { ok: true, value: track } : { ok: false, trouble: "none" };
  } catch (e) {
    return { ok: false, trouble: troubleOf(e) };
  }
}

async function screen(): Promise<Got<Screen>> {
  try {
    const stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { ideal: 15 } }, audio: true });
    const picture = stream.getVideoTracks()[0];
    if (!picture) return { ok: false, trouble: "none" };
    return { ok: true, value: { picture, sound: stream.getAudioTracks()[0] } };
  } catch (e) {
    const trouble = troubleOf(e);
    // Closing the browser's own dialog without choosing is no trouble.
    return { ok: false, trouble: trouble === "denied" ? "cancelled" : trouble };
  }
}

function troubleOf(e: unknown): Trouble {
  switch ((e as Error)?.name) {
    case "NotAllowedError":
    case "SecurityError":
      return "denied";
    case "NotFoundError":
    case "OverconstrainedError":
      return "none";
    default:
      return "busy";
  }
}

class TrackMeter implements Meter {
  readonly #context = new AudioContext();
  readonly #analyser = this.#context.createAnalyser();
  readonly #samples: Float32Array<ArrayBuffer>;

  constructor(track: MediaStreamTrack) {
    this.#analyser.fftSize = 1024;
    this.#samples = new Float32Array(this.#analyser.fftSize);
    this.#context.createMediaStreamSource(new MediaStream([track])).connect(this.#analyser);
    void this.#context.resume().catch(() => {});
  }

  level(): number {
    this.#analyser.getFloatTimeDomainData(this.#samples);
    let sum = 0;
    for (const s of this.#samples) sum += s * s;
    const db = 10 * Math.log10(sum / this.#samples.length + 1e-10);
    return Math.min(1, Math.max(0, (db + 60) / 50)); // −60 dB is silence, −10 dB is full
  }

  close(): void {
    void this.#context.close().catch(() => {});
  }
}

// SlotSound has an audio element for each slot. Elements, because the browser's
// echo cancellation knows what they play.
class SlotSound implements Sound {
  readonly #players = new Map<string, HTMLAudioElement>();
  #speaker = "";

  play(mid: string, track: MediaStreamTrack): void {
    const player = this.#players.get(mid) ?? new Audio();
    this.#players.set(mid, player);
    if ((player.srcObject as MediaStream | null)?.getTracks()[0] === track) return;
    player.srcObject = new MediaStream([track]);
    this.#direct(player);
    void player.play().catch(() => {}); // where sound needs a touch first, the touch that joined was one
  }

  setVolume(mid: string, volume: number): void {
    const player = this.#players.get(mid);
    if (player) player.volume = volume;
  }

  setSpeaker(id: string): void {
    this.#speaker = id;
    for (const player of this.#players.values()) this.#direct(player);
  }

  close(): void {
    for (const player of this.#players.values()) {
      player.pause();
      player.srcObject = null;
    }
    this.#players.clear();
  }

  #direct(player: HTMLAudioElement): void {
    if (this.#speaker && "setSinkId" in player) void player.setSinkId(this.#speaker).catch(() => {});
  }
}
