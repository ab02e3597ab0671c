/** Keeps the last `size` things pushed. */
export class Ring<T> {
  readonly #slots: T[] = [];
  #next = 0;

  constructor(private readonly size: number) {}

  push(value: T): void {
    if (this.size <= 0) return;
    this.#slots[this.#next] = value;
    this.#next = (this.#next + 1) % this.size;
  }

  /** Oldest first. */
  *values(): Generator<T> {
    yield* this.#slots.slice(this.#next);
    yield* this.#slots.slice(0, this.#next);
  }
}
