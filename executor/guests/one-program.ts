import type { GuestCapabilities } from './guest.js';

/** What every library operating system here has in common: one address space, one program, no users. */
export const ONE_PROGRAM = {
  ...{ fork: false, maxCpus: 1, onlyPositionIndependent: false },
  unsupported: ['inotify_init', 'inotify_init1', 'signalfd', 'ptrace', 'mount', 'unshare', 'setns', 'shmget'],
} as const satisfies Partial<GuestCapabilities>;
