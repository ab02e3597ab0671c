import type { Clock } from '../../core/clock.js';
import type { Log } from '../../core/log.js';
import type { ContainerUsage } from '../cell/containers.js';
import type { LogConfig, MetricsConfig } from '../cell/model.js';
import { logItems, metricItems, sourceOf, type Source } from './envelope.js';
import type { Identity } from '../wire/bbs.js';
import { createAgent } from '../wire/loggregator.js';
import { createIngress, type Ingress, type IngressStats } from './ingress.js';
import type { LogStream, Sink } from './sink.js';

/** The sink of a cell that has a Loggregator agent. */
export interface LoggregatorSink extends Sink {
  stats(): IngressStats;
  /** Sends what is queued, for at most `timeout_ms`; what comes later is dropped. */
  close(timeout_ms: number): Promise<void>;
}

/** What every Loggregator agent's certificate is made out to. */
const AGENT_NAME = 'metron';

/** `address`: `host:port` of the agent, 127.0.0.1:3458 on a foundation's machine; `tls`: PEM texts. */
export function connectLoggregator(options: {
  address: string;
  tls: Identity;
  /** In the agent's certificate. */
  server_name?: string;
  clock: Clock;
  log: Log;
}): LoggregatorSink {
  const { address, tls, server_name = AGENT_NAME, clock, log } = options;
  return createLoggregatorSink(createIngress({ agent: createAgent(address, tls, server_name), clock, log }));
}

export function createLoggregatorSink(ingress: Ingress): LoggregatorSink {
  const sources = new SourceCache();
  const rates = new Map<string, { bytes: number; since: number }>();
  return {
    log(config: LogConfig, line: { source: string; stream: LogStream; text: string; at: number }) {
      const source = sources.of(config, line.source);
      if (!source) return;
      for (const item of logItems(source, line)) {
        const rate = rates.get(source.key);
        if (rate) rate.bytes += item.log?.payload?.length ?? 0;
        ingress.send(item);
      }
    },
    metrics(config: MetricsConfig, usage: ContainerUsage, cpuPercent: number, logs?: LogConfig) {
      const source = sources.of(config);
      if (!source) return;
      const before = logs ? rates.get(source.key) : undefined;
      const seconds = before ? (usage.at - before.since) / 1_000 : 0;
      const rate = before && seconds > 0 ? before.bytes / seconds : 0;
      if (logs) {
        rates.delete(source.key);
        rates.set(source.key, { bytes: 0, since: usage.at });
        forgetOldest(rates, MAX_SOURCES);
      }
      const items = metricItems(source, usage, cpuPercent, logs && { rate, limit: logs.bytes_per_second });
      for (const item of items) ingress.send(item);
    },
    stats: () => ingress.stats(),
    close: (timeout_ms) => ingress.close(timeout_ms),
  };
}

const MAX_SOURCES = 2_000;

interface Cached {
  /** Of the configuration, when the source was made. */
  tags: object;
  source: Source | undefined;
}

/** One Source for each configuration and source type, as long as the configuration's object lives. */
class SourceCache {
  readonly #of = new WeakMap<MetricsConfig, Map<string | undefined, Cached>>();

  of(config: MetricsConfig, type?: string): Source | undefined {
    let types = this.#of.get(config);
    if (!types) this.#of.set(config, (types = new Map<string | undefined, Cached>()));
    const had = types.get(type);
    // Tags are replaced, not changed, when an LRP is updated.
    if (had && had.tags === config.tags) return had.source;
    const source = sourceOf(config, type);
    types.set(type, { tags: config.tags, source });
    forgetOldest(types, 100);
    return source;
  }
}

function forgetOldest(map: Map<unknown, unknown>, max: number): void {
  if (map.size <= max) return;
  const oldest = map.keys().next();
  if (!oldest.done) map.delete(oldest.value);
}
