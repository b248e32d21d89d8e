import type { Line, LineSlot, Media, MediaDevice, Sound } from "../src/media/media.ts";
import { LiveCall } from "../src/model/call/live.ts";
import type { CallParts } from "../src/model/calls.ts";

const audioSlots = 8;
const sending = 4; // m-lines before those that receive

// paintedMedia is a browser's media without a camera, a microphone or a network:
// who is in a call is painted.
export function paintedMedia(canSeal: boolean): Media {
  const devices: MediaDevice[] = [
    { id: "m1", kind: "microphone", name: "Built-in microphone" },
    { id: "m2", kind: "microphone", name: "Headset" },
    { id: "c1", kind: "camera", name: "Built-in camera" },
    { id: "s1", kind: "speaker", name: "Built-in speakers" },
  ];
  return {
    canSeal,
    canShare: true,
    microphone: async () => ({ ok: true, value: silence() }),
    camera: async () => ({ ok: true, value: person(0) }),
    screen: async () => ({ ok: true, value: { picture: slides(), sound: undefined } }),
    devices: async () => devices,
    onDevices: () => () => {},
    meter: () => ({ level: () => 0.62, close: () => {} }),
    line: ({ videoSlots }) => new PaintedLine(videoSlots),
    sound: () => quiet,
    tryPath: async (path) => (path === "udp" ? { ok: false } : { ok: true, rtt: path === "tcp" ? 31 : 38 }),
  };
}

/** demoParts are the parts of calls that the demo uses. */
export async function demoParts(canSeal: boolean): Promise<CallParts> {
  return { LiveCall, media: paintedMedia(canSeal), sound: () => () => {} };
}

const quiet: Sound = { play: () => {}, setVolume: () => {}, setSpeaker: () => {}, close: () => {} };

class PaintedLine implements Line {
  readonly #slots: LineSlot[] = [];

  constructor(videoSlots: number) {
    this.#grow(videoSlots);
  }

  async offer({ videoSlots = 0 } = {}): Promise<string> {
    this.#grow(videoSlots);
    return "";
  }

  async accept(): Promise<void> {}
  async send(): Promise<void> {}
  async setSilence(): Promise<void> {}
  async setLayers(): Promise<void> {}
  setKeys(): void {}
  setSlots(): void {}

  slots(): readonly LineSlot[] {
    return this.#slots;
  }

  async health() {
    return { unsealed: false, heard: performance.now(), media: performance.now(), rtt: 24, path: "udp" } as const;
  }

  async counts() {
    return { kind: "counts", sealed: 0, counts: [] } as const;
  }

  close(): void {}

  #grow(videoSlots: number): void {
    while (this.#slots.length < videoSlots) {
      const n = this.#slots.length;
      const mid = String(sending + audioSlots + n);
      this.#slots.push({ mid, kind: "video", track: n === screenSlot ? slides() : person(n + 1) });
    }
  }
}

// The slot in which the demo's shared screen arrives: three cameras have the first.
const screenSlot = 3;

function silence(): MediaStreamTrack {
  const track = new AudioContext().createMediaStreamDestination().stream.getAudioTracks()[0];
  if (!track) throw new Error("no sound");
  return track;
}

function painted(w: number, h: number, paint: (c: CanvasRenderingContext2D) => void): MediaStreamTrack {
  const canvas = document.createElement("canvas");
  canvas.width = w;
  canvas.height = h;
  const c = canvas.getContext("2d");
  const track = canvas.captureStream(5).getVideoTracks()[0];
  if (!c || !track) throw new Error("no canvas");
  paint(c);
  setInterval(() => paint(c), 250); // a stream has pictures only while something is painted
  return track;
}

const rooms = ["#8fb0a6", "#c9b18c", "#93a9c2", "#b7a3b8", "#a8b58b"] as const;
const coats = ["#35625c", "#7a4b2a", "#2f4a6d", "#5d3f63", "#4d5b2c"] as const;
const skins = ["#e6c3a5", "#d8ab86", "#f0d3bb", "#c99873", "#e9c6ae"] as const;
const hairs = ["#3b2a20", "#6b4a2c", "#20201f", "#8a6a45", "#58504a"] as const;

function person(n: number): MediaStreamTrack {
  const of = (list: readonly string[]) => list[n % list.length] ?? "#888888";
  return painted(640, 360, (c) => {
    const light = c.createLinearGradient(0, 0, 640, 360);
    light.addColorStop(0, of(rooms));
    light.addColorStop(1, "#f1ebdf");
    c.fillStyle = light;
    c.fillRect(0, 0, 640, 360);
    c.fillStyle = "rgb(255 255 255 / 0.35)";
    c.fillRect(60 + n * 30, 40, 110, 150);
    const x = 320 + (n % 3) * 18 - 18;
    c.fillStyle = of(coats);
    c.beginPath();
    c.ellipse(x, 372, 150, 130, 0, Math.PI, 0);
    c.fill();
    c.fillStyle = of(hairs);
    c.beginPath();
    c.ellipse(x, 150, 66, 78, 0, 0, 7);
    c.fill();
    c.fillStyle = of(skins);
    c.fillRect(x - 22, 208, 44, 50);
    c.beginPath();
    c.ellipse(x, 168, 54, 66, 0, 0, 7);
    c.fill();
  });
}

function slides(): MediaStreamTrack {
  return painted(1280, 720, (c) => {
    c.fillStyle = "#fbfaf7";
    c.fillRect(0, 0, 1280, 720);
    c.fillStyle = "#0c6a62";
    c.fillRect(0, 0, 1280, 86);
    c.fillStyle = "#d7d1c4";
    for (let n = 0; n < 6; n++) c.fillRect(80, 160 + n * 62, 420 - (n % 3) * 70, 20);
    [220, 330, 180, 410, 290].forEach((height, n) => {
      c.fillStyle = n === 3 ? "#9a4a12" : "#6da79e";
      c.fillRect(660 + n * 108, 620 - height, 72, height);
    });
  });
}
