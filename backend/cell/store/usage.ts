import type { Instance } from '../../../executor/model.js';
import type { MachineUsage } from '../../../executor/providers/provider.js';
import type { ContainerUsage } from '../containers.js';

const MB = 2 ** 20;

/**
 * A machine's use as its application's. Where the guest does not tell, memory is what the machine takes on the host
 * less what it costs beside its application, and never more than the application may use. Pure.
 */
export function usageOf(instance: Instance, used: MachineUsage, now: number): ContainerUsage {
  const { key, limits } = instance.spec;
  const overhead_mb = instance.charge.memory_mb - limits.memory_mb;
  const memory_quota_bytes = limits.memory_mb * MB;
  const guessed = Math.max(0, Math.min(used.host_memory_bytes - overhead_mb * MB, memory_quota_bytes));
  return {
    guid: key,
    at: now,
    cpu_ns: BigInt(Math.round(used.cpu_ns)),
    memory_bytes: used.app_memory_bytes ?? guessed,
    disk_bytes: used.disk_bytes,
    memory_quota_bytes,
    disk_quota_bytes: limits.disk_mb * MB,
    age_ns: BigInt(Math.max(0, Math.round(now - (instance.started_at ?? now)))) * 1_000_000n,
  };
}
