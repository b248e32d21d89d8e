import type { Core } from "../../core/core.ts";
import type { Media, Trouble } from "../../media/media.ts";
import type { Path } from "../../media/paths.ts";
import { Store } from "../store.ts";

export type Step =
  | { readonly at: "waiting" | "running" | "works" | "silent" | "fails" }
  | { readonly at: "works"; readonly rtt: number }
  | { readonly at: "fails"; readonly trouble: Trouble };

export interface CheckState {
  readonly running: boolean;
  readonly microphone: Step;
  readonly camera: Step;
  readonly udp: Step;
  readonly tcp: Step;
  readonly tls: Step;
  readonly result: Result | undefined;
}

/** Result is what the test means for a person's calls. */
export type Result = "good" | "detour" | "onlyTls" | "noPath" | "noMicrophone" | "unsealed";

const waiting: Step = { at: "waiting" };
const listen = 1500; // ms that the microphone is listened to
const pause = 2500; // ms before a path is tried again that the server would not take yet
const quiet = 0.02; // level below which it is taken for muted

// Check tries one's microphone, camera and each way to the server.
export class Check {
  readonly state = new Store<CheckState>({
    running: false,
    microphone: waiting,
    camera: waiting,
    udp: waiting,
    tcp: waiting,
    tls: waiting,
    result: undefined,
  });
  readonly #core: Core;
  readonly #media: Media;
  readonly #wait: (ms: number) => Promise<void>;

  constructor(core: Core, media: Media, wait = (ms: number) => new Promise<void>((r) => setTimeout(r, ms))) {
    this.#core = core;
    this.#media = media;
    this.#wait = wait;
  }

  async run(): Promise<void> {
    if (this.state.snapshot().running) return;
    if (!this.#media.canSeal) return this.state.update({ result: "unsealed" });
    const again = { microphone: waiting, camera: waiting, udp: waiting, tcp: waiting, tls: waiting };
    this.state.update({ ...again, running: true, result: undefined });
    await this.#devices();
    for (const path of ["udp", "tcp", "tls"] as const) await this.#path(path);
    this.state.update({ running: false, result: resultOf(this.state.snapshot()) });
  }

  async #devices(): Promise<void> {
    this.state.update({ microphone: { at: "running" } });
    const microphone = await this.#media.microphone(undefined);
    if (!microphone.ok) this.state.update({ microphone: { at: "fails", trouble: microphone.trouble } });
    else {
      const meter = this.#media.meter(microphone.value);
      let loudest = 0;
      for (let n = 0; n < 15; n++) {
        await this.#wait(listen / 15);
        loudest = Math.max(loudest, meter.level());
      }
      meter.close();
      microphone.value.stop();
      this.state.update({ microphone: { at: loudest < quiet ? "silent" : "works" } });
    }
    this.state.update({ camera: { at: "running" } });
    const camera = await this.#media.camera(undefined);
    if (camera.ok) camera.value.stop();
    this.state.update({ camera: camera.ok ? { at: "works" } : { at: "fails", trouble: camera.trouble } });
  }

  async #path(path: Path): Promise<void> {
    this.state.update({ [path]: { at: "running" } });
    const tried = await this.#media.tryPath(path, async (offer) => {
      for (let n = 0; n < 4; n++) {
        const got = await this.#core.call("tryCall", { offer });
        if (got.ok) return got.value;
        if (got.failure.code !== "busy") break;
        await this.#wait(pause); // the server takes only so many in a row
      }
      return undefined;
    });
    this.state.update({ [path]: tried.ok ? { at: "works", rtt: tried.rtt } : { at: "fails" } });
  }
}

/** resultOf puts the whole test into one word. */
export function resultOf(s: Pick<CheckState, "microphone" | "udp" | "tcp" | "tls">): Result {
  const works = (step: Step) => step.at === "works";
  if (!works(s.udp) && !works(s.tcp) && !works(s.tls)) return "noPath";
  if (s.microphone.at === "fails") return "noMicrophone";
  if (works(s.udp)) return "good";
  return works(s.tcp) ? "detour" : "onlyTls";
}
