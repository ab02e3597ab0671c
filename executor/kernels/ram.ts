import type { KernelEntry } from './kernel.js';

/**
 * What a kernel needs more in a larger machine: descriptions of its pages, hash tables, a reserve. Measured with Linux
 * 6.1 from 100 MB to 2 GB: 3 % of what the application can use.
 */
const SHARE = 1 / 32;

/**
 * Guest memory, MB, in which an application can use all of `memory_mb` (design D17): what the kernel entry needs
 * however large the machine is, and what it needs more the larger it is. `root_mb`: files that it holds in memory.
 */
export function guestRamMb(kernel: Pick<KernelEntry, 'overhead_mb'>, memory_mb: number, root_mb = 0): number {
  return memory_mb + kernel.overhead_mb + root_mb + Math.ceil(memory_mb * SHARE);
}
