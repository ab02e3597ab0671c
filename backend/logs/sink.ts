import type { LogConfig, MetricsConfig } from '../cell/model.js';
import type { ContainerUsage } from '../cell/containers.js';

export type LogStream = 'out' | 'err';

/** Where lines and metrics of containers go: Loggregator, or nowhere. Never throws and never waits. */
export interface Sink {
  /** One line without its end. `at`: epoch milliseconds. */
  log(config: LogConfig, line: { source: string; stream: LogStream; text: string; at: number }): void;
  /** `logs`: of an LRP, whose log rate is told besides; a task has none. */
  metrics(config: MetricsConfig, usage: ContainerUsage, cpuPercent: number, logs?: LogConfig): void;
}

/** For a cell without Loggregator. */
export const nowhere: Sink = { log: () => undefined, metrics: () => undefined };
