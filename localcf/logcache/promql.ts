/**
 * Of PromQL what one sample of a metric needs: `NAME{source_id="...",TAG="..."}` and numbers, at one time. Whatever
 * else Prometheus knows is refused. Pure.
 */
import type { Envelope } from '../../backend/wire/loggregator.js';
import type { ReadQuery } from './store.js';

export type Query = { kind: 'number'; value: number } | { kind: 'metric'; name: string; labels: Map<string, string> };

export interface Sample {
  metric: Record<string, string>;
  /** Seconds of the query, and the value as text. */
  value: [number, string];
}

/** A sample is good for this long, nanoseconds. */
const LOOKBACK = 300_000_000_000n;
const SECOND = 1_000_000_000n;

/** Throws an Error with what the gateway answers. */
export function parseQuery(text: string): Query {
  const query = text.trim();
  if (query === '') throw new Error('parse error at char 1: no expression found in input');
  if (/^[+-]?\d+(\.\d+)?$/.test(query)) return { kind: 'number', value: Number(query) };
  const [all, name = '', list = ''] = /^([A-Za-z_:][\w:]*)\s*(?:\{(.*)\})?$/s.exec(query) ?? [];
  if (all === undefined) throw new Error('only NAME{LABEL="VALUE",...} and numbers are understood here');
  const labels = new Map<string, string>();
  let rest = list.trim();
  while (rest !== '') {
    const [label, key = '', value = ''] = /^([A-Za-z_]\w*)\s*=\s*("(?:[^"\\]|\\.)*")\s*(?:,\s*|$)/.exec(rest) ?? [];
    if (label === undefined) throw new Error(`only LABEL="VALUE" is understood between braces: ${rest}`);
    labels.set(key, JSON.parse(value) as string);
    rest = rest.slice(label.length);
  }
  if (!labels.has('source_id')) throw new Error(`metric '${name}' does not have a 'source_id' label`);
  return { kind: 'metric', name, labels };
}

/** What is read for a metric at `time` (nanoseconds). */
export function windowOf(time: bigint): ReadQuery {
  return {
    start_time: time - LOOKBACK - SECOND,
    end_time: time,
    limit: 100,
    types: ['GAUGE', 'COUNTER', 'TIMER'],
    descending: false,
  };
}

/** The last value of each series among `envelopes`, which are in order of time. */
export function samples(query: Query & { kind: 'metric' }, envelopes: readonly Envelope[], time: bigint): Sample[] {
  const series = new Map<string, Sample>();
  for (const envelope of envelopes) {
    const value = valueOf(envelope, query.name);
    const matches = [...query.labels].every(([key, text]) => key === 'source_id' || envelope.tags[key] === text);
    if (value === undefined || !matches) continue;
    const { source_id, instance_id, tags } = envelope;
    const tagged = { ...tags, source_id, ...(instance_id === '' ? {} : { instance_id }) };
    const metric = Object.fromEntries(Object.entries(tagged).sort(([a], [b]) => (a < b ? -1 : 1)));
    const key = JSON.stringify(metric);
    series.set(key, { metric, value: [Number(time / 1_000_000n) / 1_000, String(value)] });
  }
  return [...series.values()];
}

function valueOf({ gauge, counter, timer }: Envelope, name: string): number | undefined {
  if (counter && sanitized(counter.name) === name) return Number(counter.total);
  if (timer && sanitized(timer.name) === name) return Number(timer.stop - timer.start);
  return Object.entries(gauge?.metrics ?? {}).find(([metric]) => sanitized(metric) === name)?.[1].value;
}

/** Characters that PromQL has no names with become underscores. */
const sanitized = (name: string): string => name.replaceAll(/^[^A-z_]|\W/g, '_');
