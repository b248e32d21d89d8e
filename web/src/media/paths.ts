import type { JoinedTry } from "../core/api.gen.ts";
import { addSenders } from "./line.ts";
import { onlyCandidates } from "./sdp.ts";

/** Path is one way by which media may reach the server. */
export type Path = "udp" | "tcp" | "tls";

export type Tried = { readonly ok: true; readonly rtt: number } | { readonly ok: false };

const patience = 12_000; // ms
const enough = 20; // packets that came back

/**
 * tryPath connects to the server's echo by one path alone, and says whether
 * sound comes back. ask brings the offer, which is that of a call with one slot,
 * to the server. What is sent is a tone.
 */
export async function tryPath(path: Path, ask: (offer: string) => Promise<JoinedTry | undefined>): Promise<Tried> {
  const tone = makeTone();
  const pc = new RTCPeerConnection({
    bundlePolicy: "max-bundle",
    iceTransportPolicy: path === "tls" ? "relay" : "all",
  });
  try {
    addSenders(pc, (sender, _, source) => {
      if (source === "microphone") void sender.replaceTrack(tone.track);
    });
    pc.addTransceiver("audio", { direction: "recvonly" });
    const offer = await pc.createOffer();
    const got = await ask(offer.sdp ?? "");
    if (!got) return { ok: false };
    if (path === "tls") {
      pc.setConfiguration({
        ...pc.getConfiguration(),
        iceServers: got.turn.map((t) => ({ urls: [...t.urls], username: t.username, credential: t.password })),
      });
    }
    await pc.setLocalDescription(offer);
    // A relay speaks UDP with the forwarder, whatever the way to the relay is.
    const wanted = path === "tcp" ? "tcp" : "udp";
    await pc.setRemoteDescription({ type: "answer", sdp: onlyCandidates(got.answer, (p) => p === wanted) });
    return await heard(pc);
  } catch {
    return { ok: false };
  } finally {
    pc.close();
    tone.close();
  }
}

async function heard(pc: RTCPeerConnection): Promise<Tried> {
  const end = performance.now() + patience;
  while (performance.now() < end && pc.connectionState !== "failed") {
    await new Promise((resolve) => setTimeout(resolve, 200));
    let packets = 0;
    let rtt = 0;
    for (const s of (await pc.getStats()).values()) {
      if (s.type === "inbound-rtp") packets += s.packetsReceived ?? 0;
      if (s.type === "candidate-pair" && s.nominated) rtt = Math.round((s.currentRoundTripTime ?? 0) * 1000);
    }
    if (packets >= enough) return { ok: true, rtt };
  }
  return { ok: false };
}

function makeTone(): { track: MediaStreamTrack; close(): void } {
  const context = new AudioContext();
  const out = context.createMediaStreamDestination();
  const tone = context.createOscillator();
  tone.frequency.value = 440;
  tone.connect(out);
  tone.start();
  void context.resume().catch(() => {});
  const track = out.stream.getAudioTracks()[0];
  if (!track) throw new Error("no tone");
  return { track, close: () => void context.close().catch(() => {}) };
}
