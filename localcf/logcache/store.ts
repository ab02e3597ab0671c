/** The newest envelopes of each source, in order of time. Bounded by source and in all. */
import type { Envelope } from '../../backend/wire/loggregator.js';

export type EnvelopeType = 'LOG' | 'COUNTER' | 'GAUGE' | 'TIMER' | 'EVENT';

export interface ReadQuery {
  /** Nanoseconds; from `start_time` on, up to and without `end_time`. */
  start_time: bigint;
  end_time: bigint;
  limit: number;
  /** Empty: all. */
  types: readonly EnvelopeType[];
  descending: boolean;
  /** Only metrics with such a name; logs and events have none. */
  name?: RegExp;
}

export interface SourceMeta {
  count: number;
  /** Thrown away because of the bounds. */
  expired: number;
  oldest_timestamp: bigint;
  newest_timestamp: bigint;
}

export interface StoreOptions {
  /** Envelopes. */
  max_per_source: number;
  /** Of all sources together; the oldest go first. */
  max_bytes: number;
}

export interface LogStore {
  put(envelopes: readonly Envelope[]): void;
  read(source_id: string, query: ReadQuery): Envelope[];
  meta(): Map<string, SourceMeta>;
}

interface Shelf {
  /** In order of time from `head` on. */
  envelopes: Envelope[];
  head: number;
  expired: number;
  newest: bigint;
}

export const STORE_DEFAULTS: StoreOptions = { max_per_source: 10_000, max_bytes: 64 * 2 ** 20 };

export function createStore(options: Partial<StoreOptions> = {}): LogStore {
  const { max_per_source, max_bytes } = { ...STORE_DEFAULTS, ...options };
  const shelves = new Map<string, Shelf>();
  let bytes = 0;

  function dropOldest(source_id: string, shelf: Shelf): void {
    const oldest = shelf.envelopes[shelf.head];
    if (oldest) bytes -= sizeOf(oldest);
    shelf.head++;
    shelf.expired++;
    if (shelf.head === shelf.envelopes.length) shelves.delete(source_id);
    // Forgotten in bulk, so that dropping one does not move all others.
    if (shelf.head < 500) return;
    shelf.envelopes = shelf.envelopes.slice(shelf.head);
    shelf.head = 0;
  }

  function put(envelope: Envelope): void {
    const { source_id, timestamp } = envelope;
    let shelf = shelves.get(source_id);
    if (!shelf) shelves.set(source_id, (shelf = { envelopes: [], head: 0, expired: 0, newest: 0n }));
    shelf.envelopes.splice(firstAfter(shelf, timestamp), 0, envelope);
    if (timestamp > shelf.newest) shelf.newest = timestamp;
    bytes += sizeOf(envelope);
    if (shelf.envelopes.length - shelf.head > max_per_source) dropOldest(source_id, shelf);
    while (bytes > max_bytes) {
      const [first, ...others] = [...shelves].map(([id, one]) => ({ id, one, at: oldestOf(one) }));
      if (!first) return;
      const { id, one } = others.reduce((oldest, next) => (next.at < oldest.at ? next : oldest), first);
      dropOldest(id, one);
    }
  }

  return {
    put: (envelopes) => envelopes.forEach(put),
    read(source_id, query) {
      const shelf = shelves.get(source_id);
      if (!shelf) return [];
      const from = firstAfter(shelf, query.start_time - 1n);
      const to = firstAfter(shelf, query.end_time - 1n);
      const found: Envelope[] = [];
      for (let i = 0; i < to - from && found.length < query.limit; i++) {
        const envelope = shelf.envelopes[query.descending ? to - 1 - i : from + i];
        const named = envelope && withName(envelope, query.name);
        if (named && hasType(named, query.types)) found.push(named);
      }
      return found;
    },
    meta: () =>
      new Map(
        [...shelves].map(([id, shelf]) => [
          id,
          {
            count: shelf.envelopes.length - shelf.head,
            expired: shelf.expired,
            oldest_timestamp: oldestOf(shelf),
            newest_timestamp: shelf.newest,
          },
        ]),
      ),
  };
}

const oldestOf = (shelf: Shelf): bigint => shelf.envelopes[shelf.head]?.timestamp ?? 0n;

/** Index of the first envelope later than `timestamp`. Most come in order, so the end is looked at first. */
function firstAfter({ envelopes, head }: Shelf, timestamp: bigint): number {
  let [low, high] = [head, envelopes.length];
  const last = envelopes[high - 1];
  if (high === low || !last || last.timestamp <= timestamp) return high;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((envelopes[middle]?.timestamp ?? 0n) > timestamp) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** What it takes in memory, roughly. */
function sizeOf({ tags, log, gauge }: Envelope): number {
  return 500 + 100 * (Object.keys(tags).length + Object.keys(gauge?.metrics ?? {}).length) + (log?.payload.length ?? 0);
}

function hasType(envelope: Envelope, types: readonly EnvelopeType[]): boolean {
  if (types.length === 0) return true;
  const { log, counter, gauge, timer, event } = envelope;
  const of = { LOG: log, COUNTER: counter, GAUGE: gauge, TIMER: timer, EVENT: event };
  return types.some((type) => of[type] !== undefined);
}

/** A gauge keeps the metrics of that name only; undefined: nothing of it is left. */
function withName(envelope: Envelope, name: RegExp | undefined): Envelope | undefined {
  if (!name) return envelope;
  const { counter, gauge, timer } = envelope;
  if (gauge) {
    const metrics = Object.entries(gauge.metrics).filter(([metric]) => name.test(metric));
    return metrics.length > 0 ? { ...envelope, gauge: { metrics: Object.fromEntries(metrics) } } : undefined;
  }
  const own = counter?.name ?? timer?.name;
  return own !== undefined && name.test(own) ? envelope : undefined;
}
