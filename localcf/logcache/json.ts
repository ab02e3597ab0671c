/**
 * Envelopes as protobuf's JSON, field by field: the `cf` command refuses the whole answer for one field too many.
 * 64-bit numbers are text, bytes base64.
 */
import type { Envelope } from '../../backend/wire/loggregator.js';
import type { SourceMeta } from './store.js';

export function envelopeJson(envelope: Envelope): object {
  const { timestamp, source_id, instance_id, tags } = envelope;
  return { timestamp: String(timestamp), source_id, instance_id, deprecated_tags: {}, tags, ...messageJson(envelope) };
}

function messageJson({ log, counter, gauge, timer, event }: Envelope): object {
  if (log) return { log: { payload: Buffer.from(log.payload).toString('base64'), type: log.type } };
  if (counter) {
    const { name, delta, total } = counter;
    return { counter: { name, delta: String(delta), total: String(total) } };
  }
  if (gauge) {
    const metrics = Object.entries(gauge.metrics).map(([name, { unit, value }]) => [
      name,
      { unit, value: real(value) },
    ]);
    return { gauge: { metrics: Object.fromEntries(metrics) as object } };
  }
  if (timer) return { timer: { name: timer.name, start: String(timer.start), stop: String(timer.stop) } };
  return event ? { event: { title: event.title, body: event.body } } : {};
}

/** JSON has no such numbers; protobuf writes their names. */
const real = (value: number): number | string => (Number.isFinite(value) ? value : String(value));

export function metaJson(meta: ReadonlyMap<string, SourceMeta>): object {
  const entries = [...meta].map(([id, one]) => [
    id,
    {
      count: String(one.count),
      expired: String(one.expired),
      oldest_timestamp: String(one.oldest_timestamp),
      newest_timestamp: String(one.newest_timestamp),
    },
  ]);
  return { meta: Object.fromEntries(entries) as object };
}
