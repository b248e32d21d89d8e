import type { OutgoingFile } from "../core/api.gen.ts";
import { lookOf } from "./files.ts";
import { preparePhoto, preparePreview } from "./photo.ts";

// Attachment is a file that waits in the composer.
export interface Attachment {
  readonly key: string;
  readonly original: File;
  readonly look: "picture" | "film" | "file";
  readonly ready: Promise<Prepared>; // never rejects
  readonly prepared: Prepared | undefined;
}

// Prepared is what leaves: as a photo it was drawn anew, which leaves behind
// where and with what it was taken.
export interface Prepared {
  readonly photo: Ready; // what is sent normally
  readonly file: Ready; // what is sent "as a file": the bytes as they are
}

export interface Ready {
  readonly about: OutgoingFile;
  readonly blob: Blob;
}

let counted = 0;

// attach begins to prepare a file and returns at once.
export function attach(original: File): Attachment {
  const name = original.name || "file";
  const look = lookOf(original);
  const type = original.type || "application/octet-stream";
  const file: Ready = { about: { source: "", name, type }, blob: original };
  const ready = (async (): Promise<Prepared> => {
    if (look === "file") return { photo: file, file };
    if (look === "picture" && original.type !== "image/gif") {
      const photo = await preparePhoto(original);
      // A picture that this browser cannot draw leaves as a file.
      return { photo: photo ? { about: { source: "", ...photo.about }, blob: photo.blob } : file, file };
    }
    const preview = await preparePreview(original);
    return { photo: { about: { ...file.about, ...preview }, blob: original }, file };
  })();
  return { key: `attachment ${++counted}`, original, look, ready, prepared: undefined };
}
