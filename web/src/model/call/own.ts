import type { Source } from "../../core/api.gen.ts";
import type { DeviceKind, Line, Media, MediaDevice, Trouble } from "../../media/media.ts";
import { Store } from "../store.ts";

/** Input is a microphone or a camera: whether it is on, and why it cannot be. */
export interface Input {
  readonly on: boolean;
  readonly track: MediaStreamTrack | undefined;
  readonly trouble: Trouble | undefined;
}

export interface OwnState {
  readonly microphone: Input; // on: heard by the others
  readonly held: boolean; // heard as long as a key is held down, though muted
  readonly camera: Input;
  readonly screen: { readonly picture: MediaStreamTrack | undefined; readonly sound: MediaStreamTrack | undefined };
  readonly devices: readonly MediaDevice[];
  readonly chosen: Readonly<Partial<Record<DeviceKind, string>>>;
}

const off: Input = { on: false, track: undefined, trouble: undefined };

/** Kept remembers which devices the person chose, from one call to the next. */
export interface Kept {
  read(): OwnState["chosen"];
  write(chosen: OwnState["chosen"]): void;
}

// OwnMedia is this person's microphone, camera and screen: what is on, by which
// device, and on which line it is sent.
export class OwnMedia {
  readonly state: Store<OwnState>;
  readonly #media: Media;
  readonly #kept: Kept;
  readonly #changed: () => void;
  readonly #unhear: () => void;
  #line: Line | undefined;
  #closed = false;

  constructor(media: Media, kept: Kept, changed: () => void) {
    this.#media = media;
    this.#kept = kept;
    this.#changed = changed;
    this.state = new Store<OwnState>({
      microphone: off,
      held: false,
      camera: off,
      screen: { picture: undefined, sound: undefined },
      devices: [],
      chosen: kept.read(),
    });
    this.#unhear = media.onDevices(() => void this.#look());
  }

  /** open asks for the microphone, and for the camera if it is to be on. */
  async open(camera: boolean): Promise<void> {
    const wanted = [this.state.snapshot().microphone.track ? undefined : this.#openMicrophone()];
    if (camera) wanted.push(this.setCamera(true));
    await Promise.all(wanted);
    await this.#look();
  }

  async setMicrophone(on: boolean): Promise<void> {
    const { microphone } = this.state.snapshot();
    if (on && !microphone.track) return this.#openMicrophone();
    this.#put({ microphone: { ...microphone, on } });
  }

  /** hold opens a muted microphone for as long as it is held. */
  hold(held: boolean): void {
    const { microphone, held: was } = this.state.snapshot();
    if (was === held || (held && (microphone.on || !microphone.track))) return;
    this.#put({ held });
  }

  async setCamera(on: boolean): Promise<void> {
    const { camera, chosen } = this.state.snapshot();
    if (!on) {
      camera.track?.stop();
      this.#put({ camera: off });
      return this.#send("camera", undefined);
    }
    if (camera.on) return;
    const got = await this.#media.camera(chosen.camera);
    if (!got.ok) return this.#put({ camera: { ...off, trouble: got.trouble } });
    if (this.#closed) return got.value.stop();
    this.#ends(got.value, () => void this.setCamera(false));
    this.#put({ camera: { on: true, track: got.value, trouble: undefined } });
    await this.#send("camera", got.value);
  }

  /** setScreen says what went wrong, if anything did. */
  async setScreen(on: boolean): Promise<Trouble | undefined> {
    const { screen } = this.state.snapshot();
    if (!on) {
      screen.picture?.stop();
      screen.sound?.stop();
      this.#put({ screen: { picture: undefined, sound: undefined } });
      await Promise.all([this.#send("screen", undefined), this.#send("sound", undefined)]);
      return undefined;
    }
    if (screen.picture) return undefined;
    const got = await this.#media.screen();
    if (!got.ok) return got.trouble;
    if (this.#closed) {
      got.value.picture.stop();
      got.value.sound?.stop();
      return undefined;
    }
    this.#ends(got.value.picture, () => void this.setScreen(false));
    this.#put({ screen: got.value });
    await Promise.all([this.#send("screen", got.value.picture), this.#send("sound", got.value.sound)]);
    return undefined;
  }

  /** choose changes a device, in the middle of a call too. */
  async choose(kind: DeviceKind, id: string): Promise<void> {
    const chosen = { ...this.state.snapshot().chosen, [kind]: id };
    this.#kept.write(chosen);
    this.#put({ chosen });
    const { microphone, camera } = this.state.snapshot();
    if (kind === "microphone") await this.#openMicrophone(microphone.track === undefined || microphone.on);
    if (kind === "camera" && camera.on) {
      // Some cameras open once only: the former goes first.
      camera.track?.stop();
      this.#put({ camera: off });
      await this.setCamera(true);
    }
  }

  /** attach sends everything on another line from now on. */
  async attach(line: Line | undefined): Promise<void> {
    this.#line = line;
    const { microphone, camera, screen } = this.state.snapshot();
    await Promise.all([
      this.#send("microphone", microphone.track),
      this.#send("camera", camera.track),
      this.#send("screen", screen.picture),
      this.#send("sound", screen.sound),
    ]);
  }

  close(): void {
    this.#closed = true;
    this.#unhear();
    const { microphone, camera, screen } = this.state.snapshot();
    for (const track of [microphone.track, camera.track, screen.picture, screen.sound]) track?.stop();
  }

  async #openMicrophone(on = true): Promise<void> {
    const { chosen, microphone } = this.state.snapshot();
    let got = await this.#media.microphone(chosen.microphone);
    // The one that was chosen is not plugged in: any is better than none.
    if (!got.ok && got.trouble === "none" && chosen.microphone) got = await this.#media.microphone(undefined);
    if (!got.ok) {
      if (!microphone.track) this.#put({ microphone: { ...off, trouble: got.trouble } });
      return;
    }
    if (this.#closed) return got.value.stop();
    const former = this.state.snapshot().microphone.track;
    this.#ends(got.value, () => this.#put({ microphone: { ...off, trouble: "none" } }));
    this.#put({ microphone: { on, track: got.value, trouble: undefined } });
    await this.#send("microphone", got.value);
    former?.stop();
  }

  async #look(): Promise<void> {
    const devices = await this.#media.devices();
    if (!this.#closed) this.#put({ devices });
  }

  #ends(track: MediaStreamTrack, ended: () => void): void {
    track.addEventListener("ended", ended, { once: true });
  }

  async #send(source: Source, track: MediaStreamTrack | undefined): Promise<void> {
    await this.#line?.send(source, track);
  }

  #put(part: Partial<OwnState>): void {
    this.state.update(part);
    const { microphone, held } = this.state.snapshot();
    if (microphone.track) microphone.track.enabled = microphone.on || held;
    this.#changed();
  }
}
