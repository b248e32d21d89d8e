import type { File, FileRef } from "../core/api.gen.ts";
import type { Core, Result } from "../core/core.ts";

// What may be shown as a picture or played. Everything else is only ever saved:
// a blob: URL lives in our own origin, so a document opened from one could read
// what the app can read. SVG is left out for the same reason.
const pictures = new Set(["image/jpeg", "image/png", "image/webp", "image/gif", "image/avif", "image/bmp"]);
const films = new Set(["video/mp4", "video/webm", "video/ogg", "video/quicktime"]);

export type Look = "picture" | "film" | "file";

export function lookOf(file: Pick<File, "type">): Look {
  const type = mediaType(file.type);
  return pictures.has(type) ? "picture" : films.has(type) ? "film" : "file";
}

function mediaType(type: string): string {
  return type.split(";", 1)[0]?.trim().toLowerCase() ?? "";
}

// shownType is the type that a blob: URL for showing may have.
function shownType(type: string): string | undefined {
  const t = mediaType(type);
  if (t === "video/quicktime") return "video/mp4"; // the same boxes; browsers refuse the older name
  return pictures.has(t) || films.has(t) ? t : undefined;
}

// kept is how many opened pictures stay at hand when they are off screen.
const kept = 60;

interface Held {
  readonly url: Promise<Result<string>>;
  users: number;
}

// Files opens attachments and holds their blob: URLs as long as somebody shows
// them, and a while longer.
export class Files {
  readonly #core: Pick<Core, "call">;
  readonly #held = new Map<string, Held>(); // oldest use first

  constructor(core: Pick<Core, "call">) {
    this.#core = core;
  }

  // show opens a picture or film. Call the returned done when it is off screen.
  show(ref: FileRef, file: File): { readonly url: Promise<Result<string>>; readonly done: () => void } {
    const key = `${ref.room}/${ref.id}/${ref.index}`;
    const held = this.#held.get(key) ?? { url: this.#open(ref, file, key), users: 0 };
    held.users++;
    this.#held.delete(key);
    this.#held.set(key, held);
    let over = false;
    const done = () => {
      if (over) return;
      over = true;
      held.users--;
      this.#sweep();
    };
    return { url: held.url, done };
  }

  // save opens a file and hands it to the browser's downloads.
  async save(ref: FileRef): Promise<Result<object>> {
    const got = await this.#core.call("openFile", ref);
    if (!got.ok) return got;
    const url = URL.createObjectURL(new Blob([got.value.blob], { type: "application/octet-stream" }));
    const a = document.createElement("a");
    a.href = url;
    a.download = got.value.name;
    a.click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
    return { ok: true, value: {} };
  }

  // clear lets everything go: somebody else signs in.
  clear(): void {
    for (const { url } of this.#held.values()) void url.then((got) => got.ok && URL.revokeObjectURL(got.value));
    this.#held.clear();
  }

  async cancel(ref: FileRef): Promise<void> {
    await this.#core.call("cancelFile", ref);
  }

  async #open(ref: FileRef, file: File, key: string): Promise<Result<string>> {
    const type = shownType(file.type);
    if (!type) return { ok: false, failure: { code: "unsupported" } };
    const got = await this.#core.call("openFile", ref);
    if (!got.ok) {
      this.#held.delete(key); // so that the next look tries again
      return got;
    }
    return { ok: true, value: URL.createObjectURL(new Blob([got.value.blob], { type })) };
  }

  #sweep(): void {
    let spare = this.#held.size - kept;
    for (const [key, held] of this.#held) {
      if (spare <= 0) return;
      if (held.users > 0) continue;
      this.#held.delete(key);
      spare--;
      void held.url.then((got) => got.ok && URL.revokeObjectURL(got.value));
    }
  }
}
