/** Pure but for what it keeps: log lines as they pass on their way into the store, and what they tell of machines. */
import type { Envelope } from '../../backend/wire/loggregator.js';
import type { LogStore } from '../logcache/store.js';
import type { PageLine } from './source.js';

const CREATED = / successfully created container for instance (\S+)$/;
const HEALTHY = 'Container became healthy';
/** Of how many machines times are kept: more than ever run on one host. */
const MOST = 2_000;

export interface Tapped {
  store: LogStore;
  /** Each line put into it; the results of both end it. */
  onLine: (hear: (line: PageLine) => void) => () => void;
  onEnvelopes: (hear: (envelopes: readonly Envelope[]) => void) => () => void;
}

/** A store that tells of all that is put into it. */
export function tapped(store: LogStore): Tapped {
  const ears = new Set<(envelopes: readonly Envelope[]) => void>();
  const onEnvelopes: Tapped['onEnvelopes'] = (hear) => {
    // One of its own, so that who listens twice is told twice and may stop once.
    const ear: typeof hear = (envelopes) => hear(envelopes);
    ears.add(ear);
    return () => void ears.delete(ear);
  };
  return {
    store: {
      ...store,
      put(envelopes) {
        store.put(envelopes);
        for (const hear of ears) hear(envelopes);
      },
    },
    onEnvelopes,
    onLine: (hear) => onEnvelopes((envelopes) => envelopes.flatMap(lineOf).forEach(hear)),
  };
}

/** None: no log line. The router's own lines and staging's belong to the app as a whole. */
export function lineOf({ source_id, timestamp, tags, log }: Envelope): PageLine[] {
  if (!log) return [];
  const source = tags['source_type'] ?? '';
  const instance = /^(APP|CELL|HEALTH|PROXY|SSH|LGR)/.test(source) ? tags['process_instance_id'] : undefined;
  return [
    {
      app: source_id,
      instance: instance ?? null,
      at: Number(timestamp / 1_000_000n),
      source,
      error: log.type === 'ERR',
      text: Buffer.from(log.payload).toString(),
    },
  ];
}

/** How long each machine took from power on to healthy. */
export class BootTimes {
  readonly #created = new Map<string, number>();
  readonly #took = new Map<string, number>();

  take({ source, text, at, instance }: PageLine): void {
    if (source !== 'CELL') return;
    const guid = CREATED.exec(text)?.[1];
    if (guid !== undefined) put(this.#created, guid, at);
    if (text !== HEALTHY || instance === null || this.#took.has(instance)) return;
    const from = this.#created.get(instance);
    if (from !== undefined) put(this.#took, instance, at - from);
  }

  /** Milliseconds; null: not known. */
  of(instance: string): number | null {
    return this.#took.get(instance) ?? null;
  }
}

/** The oldest goes when there are too many. */
function put(map: Map<string, number>, key: string, value: number): void {
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > MOST && oldest !== undefined) map.delete(oldest);
}
