// Snapshots is what a view reads: a value that is replaced whole, never changed,
// and a way to hear that it was replaced.
export interface Snapshots<T> {
  snapshot(): T;
  subscribe(hear: () => void): () => void;
}

export class Store<T> implements Snapshots<T> {
  #value: T;
  readonly #hearers = new Set<() => void>();

  constructor(value: T) {
    this.#value = value;
  }

  // Arrow functions, because React calls them without their object.
  readonly snapshot = (): T => this.#value;

  readonly subscribe = (hear: () => void): (() => void) => {
    this.#hearers.add(hear);
    return () => this.#hearers.delete(hear);
  };

  set(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const hear of [...this.#hearers]) hear();
  }

  update(part: Partial<T>): void {
    this.set({ ...this.#value, ...part });
  }
}
