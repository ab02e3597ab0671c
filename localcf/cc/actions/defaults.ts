import { randomUUID } from 'node:crypto';
import type { CcConfig } from '../cc.js';
import { noMetadata, type HealthCheck, type Process } from '../model.js';
import type { Fresh } from '../store.js';

export const healthCheck = (type: HealthCheck['type']): HealthCheck => ({
  ...{ type, endpoint: null, timeout: null, invocation_timeout: null, interval: null },
});

/** A process as it is made: one of type web runs once and is checked by its port, others do not run until scaled. */
export function freshProcess(config: CcConfig, app_guid: string, type: string): Fresh<'process'> {
  const { memory_mb, disk_mb, log_rate_limit } = config.defaults;
  return {
    ...(type === 'web' ? { guid: app_guid } : {}),
    ...{ app_guid, type, command: null, user: null, instances: type === 'web' ? 1 : 0 },
    ...{ memory_in_mb: memory_mb, disk_in_mb: disk_mb, log_rate_limit_in_bytes_per_second: log_rate_limit },
    health_check: healthCheck(type === 'web' ? 'port' : 'process'),
    readiness_health_check: healthCheck('process'),
    ...{ version: randomUUID(), revision_guid: null, metadata: noMetadata() },
  };
}

/** The process of a type; of several, which a deployment makes, the newest. */
export function newest(processes: readonly Process[], type: string): Process | undefined {
  return processes.findLast((one) => one.type === type);
}
