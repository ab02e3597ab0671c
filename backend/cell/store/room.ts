/** Room on this cell in application terms: what the executor reports, less what is promised and not yet in use. */
import { UnikError } from '../../../core/errors.js';
import type { CapacityReport } from '../../../executor/executor.js';
import type { Room } from '../containers.js';

export interface Claim {
  memory_mb: number;
  disk_mb: number;
}

export interface Ledger {
  report: CapacityReport;
  /** Of containers that have no machine yet. */
  claims: readonly Claim[];
  /** What a machine costs on top of its application's memory, MB; grows at most linearly with that memory. */
  overheadMb: (memory_mb: number) => number;
}

export function totalRoom({ report }: Ledger): Room {
  return { memory_mb: report.memory_mb.total, disk_mb: report.disk_mb.total, containers: report.machines.total };
}

/** Memory is what one more application could have. */
export function roomLeft(ledger: Ledger): Room {
  const { memory_mb, disk_mb, containers } = hostLeft(ledger);
  const fixed = costOf(ledger, 0);
  const most = Math.max(0, memory_mb - fixed);
  // Of each MB left, so much goes to the application itself.
  const share = most === 0 ? 1 : most / (costOf(ledger, most) - fixed);
  return { memory_mb: Math.max(0, Math.floor(most * share)), disk_mb: Math.max(0, disk_mb), containers };
}

/** Throws insufficient_memory, insufficient_disk, insufficient_machines. `name` is shown to people. */
export function admit(name: string, wanted: Claim, ledger: Ledger): void {
  const left = hostLeft(ledger);
  const refuse = (code: Parameters<typeof refusal>[0], what: string, of: keyof Room): never => {
    throw refusal(code, name, what, roomLeft(ledger)[of]);
  };
  const { memory_mb, disk_mb } = wanted;
  if (costOf(ledger, memory_mb) > left.memory_mb)
    refuse('insufficient_memory', `${memory_mb} MB of memory`, 'memory_mb');
  if (disk_mb > left.disk_mb) refuse('insufficient_disk', `${disk_mb} MB of disk`, 'disk_mb');
  if (left.containers < 1) refuse('insufficient_machines', 'a machine', 'containers');
}

/** What the host has left; memory before any overhead is taken off. */
function hostLeft(ledger: Ledger): Room {
  const { memory_mb, disk_mb, machines, overhead_mb } = ledger.report;
  // The report took off what one more machine costs.
  const memory = memory_mb.available === 0 ? 0 : memory_mb.available + overhead_mb;
  const left = { memory_mb: memory, disk_mb: disk_mb.available, containers: machines.available };
  for (const claim of ledger.claims) {
    left.memory_mb -= costOf(ledger, claim.memory_mb);
    left.disk_mb -= claim.disk_mb;
    left.containers -= 1;
  }
  return { ...left, containers: Math.max(0, left.containers) };
}

const costOf = ({ report, overheadMb }: Ledger, memory_mb: number): number =>
  memory_mb + Math.max(report.overhead_mb, overheadMb(memory_mb));

function refusal(
  code: 'insufficient_memory' | 'insufficient_disk' | 'insufficient_machines',
  name: string,
  wanted: string,
  left: number,
): UnikError {
  return new UnikError(code, `${name} asks for ${wanted}; this cell has room for ${left}`);
}
