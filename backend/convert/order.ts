import { UnikError } from '../../core/errors.js';
import type { LogRateLimit, RunAction, VolumeMount } from '../../protos/generated.js';
import type { LogConfig, MetricsConfig, RunOrder } from '../cell/model.js';

/** What DesiredLRP and TaskDefinition have in common, taken over as it is. */
interface Common {
  disk_mb: number;
  memory_mb: number;
  cpu_weight: number;
  max_pids: number;
  log_source: string;
  log_guid: string;
  metrics_guid: string;
  log_rate_limit?: LogRateLimit;
}

/** The reservation's memory and disk count where they differ (rep `conversion_helpers.go`). */
export function limitsOf({ memory_mb, disk_mb, cpu_weight, max_pids }: Common, run: RunAction): RunOrder['limits'] {
  const nofile = run.resource_limits?.nofile;
  return {
    ...{ memory_mb, disk_mb, cpu_weight: Math.max(1, cpu_weight) },
    ...(nofile === undefined ? {} : { nofile: Number(nofile) }),
    ...(max_pids > 0 ? { max_pids } : {}),
  };
}

/** Where lines and samples go. Without a limit message there is no limit. */
export function telemetryOf(
  common: Common,
  index: number,
  tags: Record<string, string>,
): { logs: LogConfig; metrics: MetricsConfig; metric_tags: Record<string, string> } {
  const { log_guid, log_source, metrics_guid, log_rate_limit } = common;
  const bytes_per_second = Number(log_rate_limit?.bytes_per_second ?? -1n);
  return {
    logs: { guid: log_guid, index, source: log_source, tags, bytes_per_second },
    metrics: { guid: metrics_guid || (tags['source_id'] ?? ''), index, tags },
    metric_tags: tags,
  };
}

/** Throws definition_unsupported. */
export function refuseVolumes(mounts: readonly VolumeMount[]): void {
  const [first] = mounts;
  if (!first) return;
  throw new UnikError(
    'definition_unsupported',
    `failed to mount volume, errors: ${first.container_dir} of driver ${first.driver}: this cell has no volumes`,
  );
}
