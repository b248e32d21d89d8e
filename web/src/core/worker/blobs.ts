/**
 * Shelf keeps the bytes of files on their way between the interface and Go,
 * under numbers. What it keeps are Blobs: the browser holds them outside this
 * worker's memory, on disk when they are large.
 */
export class Shelf {
  // A message that waits for its files keeps their numbers over the end of this
  // worker. In the next one they must not mean other files, so numbers begin
  // somewhere else each time (below 2^53).
  private next = 1 + (crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) * 2 ** 20;
  private readonly sources = new Map<number, Blob>();
  private readonly sinks = new Map<number, Blob[]>();

  /** put keeps a file that Go is going to read. */
  put(blob: Blob): number {
    this.sources.set(this.next, blob);
    return this.next++;
  }

  /** open makes an empty place that Go is going to write to. */
  open(): number {
    this.sinks.set(this.next, []);
    return this.next++;
  }

  /** size is that of a source in bytes, or -1 if there is none under n. */
  size(n: number): number {
    return this.sources.get(n)?.size ?? -1;
  }

  /** read returns bytes from ≤ i < to of a source; fewer at its end. */
  async read(n: number, from: number, to: number): Promise<Uint8Array> {
    const blob = this.sources.get(n);
    if (!blob) throw new Error(`no file under ${n}`);
    return new Uint8Array(await blob.slice(from, to).arrayBuffer());
  }

  /** append writes at the end of a sink; false if there is none under n. */
  append(n: number, bytes: Uint8Array<ArrayBuffer>): boolean {
    const parts = this.sinks.get(n);
    parts?.push(new Blob([bytes]));
    return parts !== undefined;
  }

  /**
   * take returns what was written to a sink and forgets it. The type says
   * nothing, so that no browser runs or shows it by itself.
   */
  take(n: number): Blob {
    const parts = this.sinks.get(n) ?? [];
    this.sinks.delete(n);
    return new Blob(parts, { type: "application/octet-stream" });
  }

  /** release forgets a source or a sink. */
  release(n: number): void {
    this.sources.delete(n);
    this.sinks.delete(n);
  }
}
