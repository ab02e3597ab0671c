import type { Arch, GuestName, Limits } from '../model.js';
import type { Image } from '../images/image.js';
import type { KernelEntry } from '../kernels/kernel.js';

/** A disk of a machine, in the order the guest sees them. */
export interface Disk {
  /** `file`: shared by all instances, never written. `scratch`: made empty for each machine, sparse. */
  source: { kind: 'file'; path: string } | { kind: 'scratch'; bytes: number };
  readonly: boolean;
}

/** How the instance config gets in and output gets out. */
export type Channels =
  /** virtio-serial ports `unik.config`, `unik.control`, `unik.out`, `unik.err` (design D6). */
  | { kind: 'virtio-serial' }
  /** No channel but the serial console. */
  | { kind: 'serial' };

/** What a provider must do to boot this image: a pure function of image, kernel and limits. */
export interface BootPlan {
  guest: GuestName;
  arch: Arch;
  kernel: string;
  initrd?: string;
  cmdline: string;
  disks: Disk[];
  channels: Channels;
}

export interface GuestCapabilities {
  signals: boolean;
  exitStatus: boolean;
  stderrApart: boolean;
  fork: boolean;
  maxCpus: number;
}

/** Knows one kind of guest: root format, boot line, console quirks, and how configuration reaches the app. Pure. */
export interface Guest {
  readonly name: GuestName;
  readonly capabilities: GuestCapabilities;
  /** Paths in the plan are absolute paths on this host. */
  plan(image: Image & { dir: string }, kernel: KernelEntry & { dir: string }, limits: Limits): BootPlan;
}
