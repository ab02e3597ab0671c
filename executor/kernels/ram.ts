import type { KernelEntry } from './kernel.js';

/** Linux describes each page of 4 KB by 64 bytes. */
const PAGE_BOOKKEEPING = 1 / 64;

/**
 * Guest memory, MB, in which an application can use all of `memory_mb` (design D17): what the kernel entry needs
 * however large the machine is, and what it needs more the larger it is.
 */
export function guestRamMb(kernel: Pick<KernelEntry, 'overhead_mb'>, memory_mb: number): number {
  return memory_mb + kernel.overhead_mb + Math.ceil(memory_mb * PAGE_BOOKKEEPING);
}
