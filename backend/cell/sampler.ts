/** Reads what running containers use, for metrics envelopes and /container_metrics. */
import type { Clock } from '../../core/clock.js';
import { messageOf } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import type { Sink } from '../logs/sink.js';
import type { Sample } from '../rep/face.js';
import type { Containers, ContainerUsage } from './containers.js';

export interface SamplerOptions {
  containers: Containers;
  sink: Pick<Sink, 'metrics'>;
  clock: Clock;
  log: Log;
  /** 15 s. */
  interval_ms: number;
}

/** Part of one CPU, between two samples or since the start (executor `containermetrics/cpu_spike.go`, 1.0 is one CPU). */
export function cpuFraction(now: ContainerUsage, before: ContainerUsage | undefined): number {
  const used = now.cpu_ns - (before?.cpu_ns ?? 0n);
  const time = before ? BigInt(Math.round((now.at - before.at) * 1e6)) : now.age_ns;
  // A machine that was restarted under its guid would count backwards.
  return time > 0n && used > 0n ? Number(used) / Number(time) : 0;
}

export class Sampler {
  readonly #options: SamplerOptions;
  #samples = new Map<string, Sample>();

  constructor(options: SamplerOptions) {
    this.#options = options;
  }

  samples(): Iterable<Sample> {
    return this.#samples.values();
  }

  /** Samples every `interval_ms` until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, interval_ms } = this.#options;
    try {
      for (;;) {
        await this.sample();
        await clock.sleep(interval_ms, signal);
      }
    } catch (err) {
      if (!signal.aborted) throw err;
    }
  }

  async sample(): Promise<void> {
    const { containers, sink, log } = this.#options;
    const next = new Map<string, Sample>();
    const one = async (guid: string): Promise<void> => {
      try {
        const usage = await containers.usage(guid);
        if (!usage) return;
        const sample = { usage, cpu_fraction: cpuFraction(usage, this.#samples.get(guid)?.usage) };
        next.set(guid, sample);
        const { reservation, order } = containers.get(guid) ?? {};
        const logs = reservation?.kind === 'lrp' ? order?.logs : undefined;
        if (order) sink.metrics(order.metrics, usage, sample.cpu_fraction * 100, logs);
      } catch (err) {
        log.warn({ guid, reason: messageOf(err) }, 'cell.usage-unknown');
      }
    };
    const running = containers.list().filter(({ state }) => state === 'running');
    await Promise.all(running.map(({ reservation }) => one(reservation.guid)));
    this.#samples = next;
  }
}
