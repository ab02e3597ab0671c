/** Admission as arithmetic (design D17). All amounts in MB of this host. */
import { UnikError } from '../core/errors.js';
import type { CapacityReport } from './executor.js';
import type { Charge, Instance } from './model.js';

export interface Capacity {
  memory_mb: number;
  disk_mb: number;
  machines: number;
}

const NOTHING: Capacity = { memory_mb: 0, disk_mb: 0, machines: 0 };

/** Memory we leave to the host itself unless configured otherwise. */
export const HOST_RESERVE_MB = 1024;

/** What is charged for by these instances: an instance counts until nothing of its machine is left. */
export function used(instances: Iterable<Instance>): Capacity {
  let sum = NOTHING;
  for (const instance of instances) if (holdsMachine(instance)) sum = plus(sum, instance.charge);
  return sum;
}

/** True while a machine of this instance exists, or may. */
export function holdsMachine(instance: Instance): boolean {
  return instance.phase !== 'completed' || instance.handle !== undefined;
}

/**
 * Throws `insufficient_memory`, `insufficient_disk` or `insufficient_machines` when `charge` does not fit beside
 * `others`. `name` is shown to people.
 */
export function admit(name: string, charge: Charge, others: Iterable<Instance>, total: Capacity): void {
  const wanted = plus(NOTHING, charge);
  const taken = used(others);
  for (const [what, code, unit] of [
    ['memory_mb', 'insufficient_memory', 'MB of memory'],
    ['disk_mb', 'insufficient_disk', 'MB of disk'],
    ['machines', 'insufficient_machines', 'machine'],
  ] as const) {
    if (taken[what] + wanted[what] <= total[what]) continue;
    const asks = `${name} asks for ${wanted[what]} ${unit}`;
    const left = Math.max(0, total[what] - taken[what]);
    throw new UnikError(
      code,
      wanted[what] > total[what]
        ? `${asks}, this host has ${total[what]}`
        : `${asks}, ${left} of ${total[what]} are left on this host`,
    );
  }
}

/** What all of them take, and the most that one costs on top of its application's memory. */
export function count(instances: readonly Instance[]): { used: Capacity; overhead_mb: number } {
  const overheads = instances.map((instance) => instance.charge.memory_mb - instance.spec.limits.memory_mb);
  return { used: used(instances), overhead_mb: Math.max(0, ...overheads) };
}

/**
 * Totals and what is left. `overhead_mb`: what a machine costs on top of its application, so that the memory left is
 * what one more application could have.
 */
export function report(taken: Capacity, total: Capacity, overhead_mb: number): CapacityReport {
  const left = (what: keyof Capacity): number => Math.max(0, total[what] - taken[what]);
  return {
    memory_mb: { total: total.memory_mb, available: Math.max(0, left('memory_mb') - overhead_mb) },
    disk_mb: { total: total.disk_mb, available: left('disk_mb') },
    machines: { total: total.machines, available: left('machines') },
    overhead_mb,
  };
}

function plus(sum: Capacity, charge: Charge): Capacity {
  return {
    memory_mb: sum.memory_mb + charge.memory_mb,
    disk_mb: sum.disk_mb + charge.disk_mb,
    machines: sum.machines + 1,
  };
}
