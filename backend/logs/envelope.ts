/**
 * Lines and samples as Loggregator envelopes, with the names, units and tags that Diego's cells give them
 * (executor `depot/log_streamer`, `containermetrics`; diego-logging-client `client.go`). Pure.
 */
import type { ContainerUsage } from '../cell/containers.js';
import type { MetricsConfig } from '../cell/model.js';
import type { Common, Outgoing } from '../wire/loggregator.js';
import { messagesOf } from './messages.js';
import type { LogStream } from './sink.js';

/** Whose lines they are, as readers ask for them. */
export interface Source extends Common {
  /** Tells instances apart. */
  key: string;
}

/** An envelope that is not yet in line: its nanoseconds are given when it is sent. */
export interface Item extends Outgoing {
  source: Source;
  /** Epoch milliseconds. */
  at: number;
}

/** What every envelope of a cell says of itself. */
const ORIGIN = 'rep';

/** Undefined without a guid: nothing of such a container is logged. Share the result: it is encoded once. */
export function sourceOf(config: MetricsConfig, sourceType?: string): Source | undefined {
  const { guid, index, tags } = config;
  if (guid === '') return undefined;
  const source_id = tags['source_id'] ?? guid;
  const instance_id = tags['instance_id'] ?? String(index);
  const key = `${source_id}\n${instance_id}`;
  const type = sourceType === undefined ? {} : { source_type: sourceType || 'LOG' };
  return { key, source_id, instance_id, tags: { ...tags, ...type, origin: ORIGIN } };
}

/** None for an empty line; several where `text` holds line ends or is too long. */
export function logItems(source: Source, line: { stream: LogStream; text: string; at: number }): Item[] {
  const type = line.stream === 'err' ? 'ERR' : 'OUT';
  const texts = line.text.includes('\n') ? line.text.split('\n') : [line.text];
  return texts.flatMap(messagesOf).map((text) => ({ source, at: line.at, log: { payload: Buffer.from(text), type } }));
}

/** What an LRP's log limit lets pass, and what passed. Bytes per second; `limit` -1: no limit. */
export interface LogRate {
  rate: number;
  limit: number;
}

/**
 * One sample. The first envelope holds its five metrics and no other: readers of the older protocol know it by them.
 * A machine is entitled to one processor from its start, so time used and time granted have the same denominator.
 * `logs`: of an LRP; a task's log rate is not told.
 */
export function metricItems(source: Source, usage: ContainerUsage, cpuPercent: number, logs?: LogRate): Item[] {
  const gauge = (metrics: Record<string, [unit: string, value: number]>): Item => ({
    source,
    at: usage.at,
    gauge: {
      metrics: Object.fromEntries(Object.entries(metrics).map(([name, [unit, value]]) => [name, { unit, value }])),
    },
  });
  const counter = (name: string, total: number | undefined): Item[] =>
    total === undefined ? [] : [{ source, at: usage.at, counter: { name, delta: 0n, total: BigInt(total) } }];
  return [
    gauge({
      cpu: ['percentage', cpuPercent],
      memory: ['bytes', usage.memory_bytes],
      disk: ['bytes', usage.disk_bytes],
      memory_quota: ['bytes', usage.memory_quota_bytes],
      disk_quota: ['bytes', usage.disk_quota_bytes],
    }),
    gauge({
      container_age: ['nanoseconds', Number(usage.age_ns)],
      cpu_entitlement: ['percentage', cpuPercent],
      absolute_usage: ['nanoseconds', Number(usage.cpu_ns)],
      absolute_entitlement: ['nanoseconds', Number(usage.age_ns)],
    }),
    ...(logs ? [gauge({ log_rate: ['B/s', logs.rate], log_rate_limit: ['B/s', logs.limit] })] : []),
    ...counter('rx_bytes', usage.rx_bytes),
    ...counter('tx_bytes', usage.tx_bytes),
  ];
}

/** What stands where lines are missing. `LGR` is the source type under which Loggregator itself tells of losses. */
export function lossItem(source: Source, at: number, { dropped, unconfirmed }: Loss): Item {
  const parts = [
    ...(dropped > 0 ? [`${dropped} messages lost`] : []),
    ...(unconfirmed > 0 ? [`up to ${unconfirmed} ${dropped > 0 ? 'more' : 'messages'} lost in transit`] : []),
  ];
  const text = `${parts.join(', ')} for application ${source.source_id}: the Loggregator agent did not take them in time`;
  return {
    source: { ...source, tags: { ...source.tags, source_type: 'LGR' } },
    at,
    log: { payload: Buffer.from(text), type: 'ERR' },
  };
}

/** Log lines that did not arrive: surely, and possibly. */
export interface Loss {
  dropped: number;
  unconfirmed: number;
}

/**
 * Nanoseconds for something of `at` (epoch ms) that comes after what was stamped `last`: more than that, and in whole
 * microseconds. On the way to log-cache a line passes syslog, whose times (RFC 5424) have no more digits, and log-cache
 * neither orders nor keeps lines of one time reliably.
 */
export function stamp(at: number, last: bigint | undefined): bigint {
  const wanted = BigInt(Math.round(at * 1_000)) * MICROSECOND;
  return last === undefined || wanted > last ? wanted : last + MICROSECOND;
}

const MICROSECOND = 1_000n;
