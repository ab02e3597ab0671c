/**
 * Waiting things of many sources, given out in turns: one of each source that has any, so that a loud source delays
 * nobody but itself. Bounded in number and in bytes; what does not fit is taken from the oldest of whoever holds most.
 */
export interface FairQueueOptions<T> {
  max_count: number;
  max_bytes: number;
  sizeOf: (item: T) => number;
  /** Told of each thing that is thrown away. */
  onDrop: (item: T) => void;
}

interface Lane<T> {
  key: string;
  items: (T | undefined)[];
  /** Where the first of `items` stands; what is before it is gone. */
  head: number;
  bytes: number;
}

export class FairQueue<T> {
  /** In turn order: the first is served next. */
  readonly #lanes = new Map<string, Lane<T>>();
  #count = 0;
  #bytes = 0;

  constructor(private readonly options: FairQueueOptions<T>) {}

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(key: string, item: T): void {
    let lane = this.#lanes.get(key);
    if (!lane) this.#lanes.set(key, (lane = { key, items: [], head: 0, bytes: 0 }));
    lane.items.push(item);
    this.#account(lane, 1, this.options.sizeOf(item));
    while (this.#count > this.options.max_count || this.#bytes > this.options.max_bytes) {
      const fullest = this.#fullest(lane);
      const dropped = this.#shift(fullest);
      if (dropped === undefined) return;
      if (fullest.items.length === fullest.head) this.#lanes.delete(fullest.key);
      this.options.onDrop(dropped);
    }
  }

  /** Up to `count` things of together not more than `bytes`, but at least one where there is one. */
  take(count: number, bytes: number): T[] {
    const taken: T[] = [];
    let size = 0;
    while (taken.length < count) {
      const next = this.#lanes.values().next();
      if (next.done) break;
      const lane = next.value;
      size += this.options.sizeOf(lane.items[lane.head] as T);
      if (taken.length > 0 && size > bytes) break;
      const item = this.#shift(lane);
      if (item !== undefined) taken.push(item);
      const isEmpty = lane.items.length === lane.head;
      if (!isEmpty && this.#lanes.size === 1) continue;
      // Last in the row now, if it has more.
      this.#lanes.delete(lane.key);
      if (!isEmpty) this.#lanes.set(lane.key, lane);
    }
    return taken;
  }

  #fullest(pushed: Lane<T>): Lane<T> {
    // Who holds more than an even share is found without looking at all the others.
    const share = this.options.max_bytes / this.#lanes.size;
    if (pushed.bytes > share || pushed.items.length - pushed.head > this.options.max_count / this.#lanes.size)
      return pushed;
    let fullest = pushed;
    const weight = (lane: Lane<T>): number =>
      lane.bytes / this.options.max_bytes + (lane.items.length - lane.head) / this.options.max_count;
    for (const lane of this.#lanes.values()) if (weight(lane) > weight(fullest)) fullest = lane;
    return fullest;
  }

  #shift(lane: Lane<T>): T | undefined {
    if (lane.head >= lane.items.length) return undefined;
    const item = lane.items[lane.head] as T;
    lane.items[lane.head++] = undefined;
    // Forgotten in bulk: moving the rest at each step would cost as much as there is.
    if (lane.head > 1_000 && lane.head * 2 > lane.items.length) {
      lane.items = lane.items.slice(lane.head);
      lane.head = 0;
    }
    this.#account(lane, -1, -this.options.sizeOf(item));
    return item;
  }

  #account(lane: Lane<T>, count: number, bytes: number): void {
    lane.bytes += bytes;
    this.#count += count;
    this.#bytes += bytes;
  }
}
