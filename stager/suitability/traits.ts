import type { GuestName } from '../../executor/model.js';

/** What a program may expect of a guest, beside running at all. */
export interface GuestTraits {
  /** May a program start another one, or copy itself? */
  processes: boolean;
  /** Only programs that can be loaded at any address. */
  onlyPositionIndependent: boolean;
  /** Functions that always fail there. */
  unsupported: readonly string[];
}

const LINUX: GuestTraits = { processes: true, onlyPositionIndependent: false, unsupported: [] };
/** A library operating system is one address space with one program. */
const ONE_PROGRAM: GuestTraits = {
  processes: false,
  onlyPositionIndependent: false,
  unsupported: ['inotify_init', 'inotify_init1', 'signalfd', 'ptrace', 'mount', 'unshare', 'setns', 'shmget'],
};

/** Measured where the guest is offered; else what its documentation says. */
export const TRAITS: Readonly<Record<GuestName, GuestTraits>> = {
  linux: LINUX,
  unikraft: { ...ONE_PROGRAM, onlyPositionIndependent: true },
  nanos: ONE_PROGRAM,
  osv: { ...ONE_PROGRAM, onlyPositionIndependent: true },
  solo5: ONE_PROGRAM,
  rumprun: ONE_PROGRAM,
  multiboot: ONE_PROGRAM,
};
