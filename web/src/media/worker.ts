// Seals what this device sends in a call and opens what it receives: frames pass
// here between the codec and the network, and nowhere else. docs/spec/calls.md#keys.
import { Keyring } from "./keyring.ts";
import type { FromSealer, StreamPart, ToSealer } from "./sealer.ts";
import { type Frame, Opening, sealInto } from "./streams.ts";

// What the types of a window do not have.
interface Transformer {
  readonly readable: ReadableStream<Frame>;
  readonly writable: WritableStream<Frame>;
  readonly options: StreamPart;
  sendKeyFrameRequest?(): Promise<unknown>;
}

const ring = new Keyring();
const slots = new Map<number, Opening<Frame>>();
let sealed = 0; // frames
const keyFramePause = 500; // ms between requests for a whole picture

addEventListener("rtctransform", (e) => {
  const { transformer } = e as Event & { readonly transformer: Transformer };
  const part = transformer.options;
  const through =
    part.way === "seal"
      ? new TransformStream<Frame, Frame>({
          async transform(frame, out) {
            if (!(await sealInto(ring, part.source, part.kind, frame))) return;
            sealed++;
            out.enqueue(frame);
          },
        })
      : opening(transformer, part.place, part.kind);
  // It ends with the connection; there is nobody to tell.
  void transformer.readable
    .pipeThrough(through)
    .pipeTo(transformer.writable)
    .catch(() => {});
});

function opening(transformer: Transformer, place: number, kind: "audio" | "video"): TransformStream<Frame, Frame> {
  let asked = 0;
  const askWhole = () => {
    if (kind !== "video" || performance.now() - asked < keyFramePause) return;
    asked = performance.now();
    void transformer.sendKeyFrameRequest?.().catch(() => {});
  };
  let slot: Opening<Frame>;
  return new TransformStream<Frame, Frame>({
    start(out) {
      slot = new Opening(ring, kind, (frame) => out.enqueue(frame), askWhole);
      slot.owner = owners.get(place);
      slots.set(place, slot);
    },
    transform: (frame) => slot.take(frame),
  });
}

const owners = new Map<number, { readonly leaf: number; readonly source: number }>();

addEventListener("message", (e) => {
  const told = (e as MessageEvent).data as ToSealer;
  switch (told.kind) {
    case "keys":
      ring.set(told.keys);
      for (const slot of slots.values()) void slot.again();
      break;
    case "slots":
      owners.clear();
      for (const s of told.slots) owners.set(s.place, s);
      for (const [place, slot] of slots) slot.owner = owners.get(place);
      break;
    case "count":
      postMessage({
        kind: "counts",
        sealed,
        counts: [...slots].map(([place, slot]) => ({ place, ...slot.counts })),
      } satisfies FromSealer);
      break;
  }
});
