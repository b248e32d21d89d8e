import type { CallKeys, CallLayer, Source, TurnServer } from "../core/api.gen.ts";
import type { Health, Line, LineConfig, LineSlot, SlotOwner } from "./media.ts";
import { withOpus } from "./sdp.ts";
import { type FromSealer, Sealer } from "./sealer.ts";
import { sourceNumber } from "./sframe.ts";

// The m-lines that send, in the order that docs/spec/calls.md#joining gives.
const sending = [
  { source: "microphone", kind: "audio" },
  { source: "camera", kind: "video" },
  { source: "screen", kind: "video" },
  { source: "sound", kind: "audio" },
] as const satisfies readonly { source: Source; kind: "audio" | "video" }[];

// Three sizes of the camera's picture, smallest first; whoever watches gets the
// one that fits. Rates are bit/s.
const cameraLayers: RTCRtpEncodingParameters[] = [
  { rid: "q", scaleResolutionDownBy: 4, maxBitrate: 120_000 },
  { rid: "h", scaleResolutionDownBy: 2, maxBitrate: 450_000 },
  { rid: "f", scaleResolutionDownBy: 1, maxBitrate: 1_500_000 },
];
const screenLayer: RTCRtpEncodingParameters[] = [{ maxBitrate: 2_500_000, maxFramerate: 15 }];

const speech = { bitrate: 32_000, stereo: false };
const something = 500; // bytes: what a second's look finds of any source

const music = { bitrate: 96_000, stereo: true };

/** addSenders makes the m-lines that send, and hands each to made at once. */
export function addSenders(
  pc: RTCPeerConnection,
  made: (sender: RTCRtpSender, kind: "audio" | "video", source: Source) => void,
): void {
  for (const { source, kind } of sending) {
    const encodings = source === "camera" ? cameraLayers : source === "screen" ? screenLayer : undefined;
    const t = pc.addTransceiver(kind, {
      direction: "sendonly",
      ...(encodings ? { sendEncodings: encodings } : {}),
    });
    prefer(t, kind, source === "microphone");
    made(t.sender, kind, source);
  }
}

// PeerLine is a Line by RTCPeerConnection. An offer takes effect only once it
// was answered: what the server refuses has changed nothing here.
export class PeerLine implements Line {
  readonly #pc: RTCPeerConnection;
  readonly #sealer: Sealer;
  #offered: RTCSessionDescriptionInit | undefined;
  #answer = "";
  #dtx = false;
  // One thing at a time: descriptions must not overtake one another.
  #tail: Promise<unknown> = Promise.resolve();

  constructor({ audioSlots, videoSlots, failed }: LineConfig) {
    this.#sealer = new Sealer(failed);
    this.#pc = new RTCPeerConnection({ bundlePolicy: "max-bundle", rtcpMuxPolicy: "require" });
    addSenders(this.#pc, (sender, kind, source) => this.#sealer.seal(sender, kind, sourceNumber[source]));
    for (let n = 0; n < audioSlots; n++) this.#receive("audio");
    for (let n = 0; n < videoSlots; n++) this.#receive("video");
  }

  offer({ restart = false, videoSlots = 0 } = {}): Promise<string> {
    return this.#next(async () => {
      for (let n = this.#count("video"); n < videoSlots; n++) this.#receive("video");
      this.#offered = await this.#pc.createOffer({ iceRestart: restart });
      return this.#offered.sdp ?? "";
    });
  }

  accept(answer: string, turn: readonly TurnServer[] = []): Promise<void> {
    return this.#next(async () => {
      if (turn.length > 0) {
        const iceServers = turn.map((t) => ({ urls: [...t.urls], username: t.username, credential: t.password }));
        this.#pc.setConfiguration({ ...this.#pc.getConfiguration(), iceServers });
      }
      if (!this.#offered) throw new Error("an answer to no offer");
      await this.#describe(this.#offered, answer);
    });
  }

  setSilence(unsent: boolean): Promise<void> {
    return this.#next(async () => {
      if (this.#dtx === unsent || !this.#answer) return;
      this.#dtx = unsent;
      // The encoder takes it from a description; the server need not hear of it.
      await this.#describe(await this.#pc.createOffer(), this.#answer);
    });
  }

  async #describe(offer: RTCSessionDescriptionInit, answer: string): Promise<void> {
    await this.#pc.setLocalDescription({ type: "offer", sdp: offer.sdp ?? "" });
    const spoken = withOpus(answer, 0, { ...speech, dtx: this.#dtx });
    await this.#pc.setRemoteDescription({ type: "answer", sdp: withOpus(spoken, 3, { ...music, dtx: this.#dtx }) });
    this.#answer = answer;
  }

  async send(source: Source, track: MediaStreamTrack | undefined): Promise<void> {
    if (track && "contentHint" in track) {
      track.contentHint = { microphone: "speech", camera: "motion", screen: "detail", sound: "music" }[source];
    }
    await this.#sender(source)?.replaceTrack(track ?? null);
  }

  setLayers(wanted: readonly CallLayer[]): Promise<void> {
    return this.#next(async () => {
      for (const source of ["camera", "screen"] as const) {
        const sender = this.#sender(source);
        const parameters = sender?.getParameters();
        if (!sender || !parameters || parameters.encodings.length === 0) continue;
        let changed = false;
        for (const e of parameters.encodings) {
          const active = wanted.some((l) => l.source === source && (!l.rid || l.rid === e.rid || !e.rid));
          changed ||= (e.active ?? true) !== active;
          e.active = active;
        }
        if (changed) await sender.setParameters(parameters).catch(() => {}); // a hint: at worst more is sent than is seen
      }
    });
  }

  setKeys(keys: CallKeys): void {
    this.#sealer.setKeys(keys);
  }

  setSlots(slots: readonly SlotOwner[]): void {
    const mids = this.#pc.getTransceivers().map((t) => t.mid);
    this.#sealer.setSlots(slots.map(({ mid, leaf, source }) => ({ place: mids.indexOf(mid), leaf, source })));
  }

  slots(): readonly LineSlot[] {
    return this.#receiving().flatMap((t) =>
      t.mid === null ? [] : [{ mid: t.mid, kind: kindOf(t), track: t.receiver.track }],
    );
  }

  async health(): Promise<Health> {
    const stats = (await this.#pc.getStats()) as unknown as ReadonlyMap<string, Stat>;
    let heard = 0;
    let media = 0;
    let sent = 0;
    let pair: Stat | undefined;
    for (const s of stats.values()) {
      if (s.type === "inbound-rtp") media += s.packetsReceived ?? 0;
      if (s.type === "outbound-rtp") sent += s.bytesSent ?? 0; // of payloads, without padding
      if (s.type === "candidate-pair") heard += (s.responsesReceived ?? 0) + (s.bytesReceived ?? 0);
      if (s.type === "transport" && s.selectedCandidatePairId) pair = stats.get(s.selectedCandidatePairId);
    }
    const local = pair?.localCandidateId ? stats.get(pair.localCandidateId) : undefined;
    return {
      unsealed: sent >= something && (await this.#sealer.counts()).sealed === 0,
      heard: heard + media,
      media,
      rtt: pair?.currentRoundTripTime === undefined ? undefined : Math.round(pair.currentRoundTripTime * 1000),
      path: pathOf(local),
    };
  }

  counts(): Promise<FromSealer> {
    return this.#sealer.counts();
  }

  close(): void {
    this.#pc.close();
    this.#sealer.close();
  }

  #receive(kind: "audio" | "video"): void {
    const t = this.#pc.addTransceiver(kind, { direction: "recvonly" });
    prefer(t, kind, kind === "audio");
    // At once, before any description: Chromium gives a later transform nothing,
    // and lets frames past it. An m-line has no mid yet, but it has its place.
    this.#sealer.open(t.receiver, kind, this.#pc.getTransceivers().length - 1);
  }

  #receiving(): readonly RTCRtpTransceiver[] {
    return this.#pc.getTransceivers().slice(sending.length);
  }

  #count(kind: "audio" | "video"): number {
    return this.#receiving().filter((t) => kindOf(t) === kind).length;
  }

  #sender(source: Source): RTCRtpSender | undefined {
    return this.#pc.getTransceivers()[sending.findIndex((s) => s.source === source)]?.sender;
  }

  #next<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#tail.then(work);
    this.#tail = done.catch(() => {});
    return done;
  }
}

interface Stat {
  readonly type: string;
  readonly bytesSent?: number;
  readonly packetsReceived?: number;
  readonly bytesReceived?: number;
  readonly responsesReceived?: number;
  readonly selectedCandidatePairId?: string;
  readonly localCandidateId?: string;
  readonly currentRoundTripTime?: number;
  readonly protocol?: string;
  readonly relayProtocol?: string;
}

function kindOf(t: RTCRtpTransceiver): "audio" | "video" {
  return t.receiver.track.kind === "audio" ? "audio" : "video";
}

function pathOf(local: Stat | undefined): Health["path"] {
  const protocol = local?.relayProtocol ?? local?.protocol;
  return protocol === "udp" || protocol === "tcp" || protocol === "tls" ? protocol : undefined;
}

// prefer leaves the codecs that calls use: Opus, with RED before it where sound
// may be lost, and VP8, whose key frames the forwarder can tell.
function prefer(t: RTCRtpTransceiver, kind: "audio" | "video", red: boolean): void {
  const all = RTCRtpReceiver.getCapabilities(kind)?.codecs ?? [];
  const of = (type: string) => all.filter((c) => c.mimeType.toLowerCase() === type);
  const wanted =
    kind === "audio"
      ? [...(red ? of("audio/red") : []), ...of("audio/opus")]
      : [...of("video/vp8"), ...of("video/rtx")];
  if (wanted.length > 0) t.setCodecPreferences(wanted);
}
