/** Admission as arithmetic (design D17). All amounts in MB of this host. */
import { UnikError } from '../core/errors.js';
import type { CapacityReport } from './executor.js';
import type { Charge, Instance, Key } from './model.js';

export interface Capacity {
  memory_mb: number;
  disk_mb: number;
  machines: number;
}

const NOTHING: Capacity = { memory_mb: 0, disk_mb: 0, machines: 0 };

/** Memory we leave to the host itself unless configured otherwise. */
export const HOST_RESERVE_MB = 1024;

/** What is charged for: an instance counts until nothing of its machine is left. */
export class Tally {
  readonly #counted = new Map<Key, Pick<Instance, 'charge' | 'spec'>>();
  #sum = NOTHING;
  /** Undefined when the one that cost most may have gone. */
  #overhead_mb: number | undefined = 0;

  /** Takes it in as it is now, in place of what it was. */
  set(instance: Instance): void {
    this.remove(instance.spec.key);
    if (!holdsMachine(instance)) return;
    this.#counted.set(instance.spec.key, instance);
    this.#sum = plus(this.#sum, instance.charge);
    if (this.#overhead_mb !== undefined) this.#overhead_mb = Math.max(this.#overhead_mb, overheadOf(instance));
  }

  remove(key: Key): void {
    const known = this.#counted.get(key);
    if (!known || !this.#counted.delete(key)) return;
    this.#sum = minus(this.#sum, known.charge);
    if (overheadOf(known) === this.#overhead_mb) this.#overhead_mb = undefined;
  }

  /** What all take together, but for this one. */
  without(key: Key): Capacity {
    const known = this.#counted.get(key);
    return known ? minus(this.#sum, known.charge) : this.#sum;
  }

  get sum(): Capacity {
    return this.#sum;
  }

  /** The most that one costs on top of its application's memory. */
  get overhead_mb(): number {
    return (this.#overhead_mb ??= Math.max(0, ...Array.from(this.#counted.values(), overheadOf)));
  }
}

const overheadOf = ({ charge, spec }: Pick<Instance, 'charge' | 'spec'>): number =>
  charge.memory_mb - spec.limits.memory_mb;

/** True while a machine of this instance exists, or may. */
export function holdsMachine(instance: Instance): boolean {
  return instance.phase !== 'completed' || instance.handle !== undefined;
}

/**
 * Throws `insufficient_memory`, `insufficient_disk` or `insufficient_machines` when `charge` does not fit beside what is
 * `taken`. `name` is shown to people.
 */
export function admit(name: string, charge: Charge, taken: Capacity, total: Capacity): void {
  const wanted = plus(NOTHING, charge);
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

function minus(sum: Capacity, charge: Charge): Capacity {
  return {
    memory_mb: sum.memory_mb - charge.memory_mb,
    disk_mb: sum.disk_mb - charge.disk_mb,
    machines: sum.machines - 1,
  };
}

function plus(sum: Capacity, charge: Charge): Capacity {
  return {
    memory_mb: sum.memory_mb + charge.memory_mb,
    disk_mb: sum.disk_mb + charge.disk_mb,
    machines: sum.machines + 1,
  };
}
