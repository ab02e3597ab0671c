import type { EndFacts } from '../../guests/linux/control.js';
import type { MachineExit } from '../provider.js';

/** What the program of a machine offers while its process runs: QEMU (`monitor.ts`), or one in its place (`tender.ts`). */
export interface Running {
  /** Resolves once it can be talked to; for one that nobody talks to, at once. */
  readonly up: Promise<void>;
  /** Resolves once the process is gone. Rejects when the signal comes first. */
  readonly ended: Promise<void>;
  /** Throws not_supported, machine_failed. */
  pressPower(): Promise<void>;
  /** For one that was started without it, before the machine begins. Throws not_supported, machine_failed. */
  giveCommandLine(cmdline: string): Promise<void>;
  /** Why the machine ended, from what it left behind. */
  exitOf(facts: EndFacts): MachineExit;
}
