import { rgbaToThumbHash } from "thumbhash";
import type { OutgoingFile } from "../core/api.gen.ts";

const longestSide = 2560; // pixels of a sent photo
const previewSide = 320;
const previewBytes = 12 << 10; // docs/spec/content.md

type About = Omit<OutgoingFile, "source">;
type Shape = Pick<OutgoingFile, "width" | "height" | "thumb" | "preview" | "prevType">;

// fitted is the size of a w×h picture whose longer side is at most side.
export function fitted(w: number, h: number, side: number): { w: number; h: number } {
  const scale = Math.min(1, side / Math.max(w, h));
  return { w: Math.max(1, Math.round(w * scale)), h: Math.max(1, Math.round(h * scale)) };
}

// preparePhoto draws a picture anew, no larger than longestSide, as WebP or,
// where the browser cannot write that, JPEG. Nothing of the original file but
// the picture survives: no place, no camera, no time. Undefined if the browser
// cannot read it.
export async function preparePhoto(file: File): Promise<{ about: About; blob: Blob } | undefined> {
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" }).catch(() => undefined);
  if (!bitmap) return undefined;
  try {
    const { w, h } = fitted(bitmap.width, bitmap.height, longestSide);
    const blob = await encoded(draw(bitmap, w, h), 0.86);
    if (!blob) return undefined;
    const name = renamed(file.name || "photo", blob.type);
    return { about: { name, type: blob.type, width: w, height: h, ...(await shape(bitmap)) }, blob };
  } finally {
    bitmap.close();
  }
}

// preparePreview makes the small picture of a film or an animation, whose own
// bytes stay as they are. Empty if the browser cannot play it.
export async function preparePreview(file: File): Promise<Shape> {
  if (!file.type.startsWith("video/")) {
    const bitmap = await createImageBitmap(file).catch(() => undefined);
    if (!bitmap) return {};
    const made = { width: bitmap.width, height: bitmap.height, ...(await shape(bitmap)) };
    bitmap.close();
    return made;
  }
  const url = URL.createObjectURL(file);
  const film = document.createElement("video");
  try {
    film.muted = true;
    film.preload = "auto";
    film.playsInline = true;
    film.src = url;
    await happened(film, "loadeddata");
    film.currentTime = Math.min(1, (film.duration || 0) / 4);
    await happened(film, "seeked");
    const width = film.videoWidth;
    const height = film.videoHeight;
    if (!width || !height) return {};
    return { width, height, ...(await shape(film, width, height)) };
  } catch {
    return {};
  } finally {
    film.removeAttribute("src");
    film.load();
    URL.revokeObjectURL(url);
  }
}

function happened(film: HTMLVideoElement, event: "loadeddata" | "seeked"): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error("film does not load")), 8000);
    const settle = (how: () => void) => () => {
      clearTimeout(late);
      how();
    };
    film.addEventListener(event, settle(resolve), { once: true });
    film.addEventListener(
      "error",
      settle(() => reject(new Error("film cannot be read"))),
      { once: true },
    );
  });
}

// shape makes the thumbhash and the largest preview that fits the cap.
async function shape(picture: ImageBitmap | HTMLVideoElement, width?: number, height?: number): Promise<Shape> {
  const w = width ?? (picture as ImageBitmap).width;
  const h = height ?? (picture as ImageBitmap).height;
  const tiny = fitted(w, h, 100);
  const pixels = draw(picture, tiny.w, tiny.h).getContext("2d")?.getImageData(0, 0, tiny.w, tiny.h).data;
  const thumb = pixels ? toBase64(rgbaToThumbHash(tiny.w, tiny.h, pixels)) : undefined;
  for (const [side, quality] of [
    [previewSide, 0.7],
    [previewSide, 0.45],
    [240, 0.5],
    [160, 0.5],
    [96, 0.5],
  ] as const) {
    const size = fitted(w, h, side);
    const blob = await encoded(draw(picture, size.w, size.h), quality);
    if (!blob || blob.size > previewBytes) continue;
    const preview = toBase64(new Uint8Array(await blob.arrayBuffer()));
    return { ...(thumb ? { thumb } : {}), preview, prevType: blob.type };
  }
  return thumb ? { thumb } : {};
}

function draw(picture: ImageBitmap | HTMLVideoElement, w: number, h: number): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = w;
  canvas.height = h;
  const context = canvas.getContext("2d");
  if (context) {
    context.imageSmoothingQuality = "high";
    context.drawImage(picture, 0, 0, w, h);
  }
  return canvas;
}

// encoded asks for WebP and takes it only if that is what came: a browser that
// cannot write it silently writes PNG.
async function encoded(canvas: HTMLCanvasElement, quality: number): Promise<Blob | undefined> {
  const webp = await written(canvas, "image/webp", quality);
  if (webp?.type === "image/webp") return webp;
  const context = canvas.getContext("2d");
  if (context) {
    // JPEG knows no transparency and would show it black.
    context.globalCompositeOperation = "destination-over";
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
  }
  const jpeg = await written(canvas, "image/jpeg", quality);
  return jpeg?.type === "image/jpeg" ? jpeg : undefined;
}

function written(canvas: HTMLCanvasElement, type: string, quality: number): Promise<Blob | null> {
  return new Promise((resolve) => canvas.toBlob(resolve, type, quality));
}

function renamed(name: string, type: string): string {
  return `${name.replace(/\.[A-Za-z0-9]{1,5}$/, "")}.${type === "image/webp" ? "webp" : "jpg"}`;
}

function toBase64(bytes: Uint8Array): string {
  let s = "";
  for (const b of bytes) s += String.fromCharCode(b);
  return btoa(s);
}

export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const s = atob(text);
  const bytes = new Uint8Array(s.length);
  for (let i = 0; i < s.length; i++) bytes[i] = s.charCodeAt(i);
  return bytes;
}
