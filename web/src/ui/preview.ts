const types = new Set(["image/webp", "image/jpeg"]);
const most = 16 << 10; // bytes; ours are at most 12 KiB

// previewBlob is the small picture that came inside a message, if it is one
// that may be shown. The sender chose every byte of it and its type.
export function previewBlob(preview: string | undefined, type: string | undefined): Blob | undefined {
  if (!preview || !type || !types.has(type)) return undefined;
  const bytes = decoded(preview);
  return bytes && bytes.length <= most ? new Blob([bytes], { type }) : undefined;
}

// decoded reads base64 that somebody else's client may have made.
export function decoded(base64: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  } catch {
    return undefined;
  }
}
