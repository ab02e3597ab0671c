import type { Arch, Exit, GuestName, InstanceConfig, Limits, TenderName } from '../model.js';
import type { Image } from '../images/image.js';
import type { FolderEntry, RootTree } from '../images/tree.js';
import type { KernelEntry, KernelLimits } from '../kernels/kernel.js';

/** A disk of a machine, in the order the guest sees them. */
export interface Disk {
  /**
   * `file`: shared by all instances, never written. `scratch`: made empty for each machine, sparse. `overlay`: the
   * shared file under a layer of the machine's own, which first holds what `BootPlan.configure` puts there.
   */
  source:
    | { kind: 'file'; path: string }
    | { kind: 'scratch'; bytes: number }
    | { kind: 'overlay'; path: string; bytes: number };
  readonly: boolean;
}

/** How the instance config gets in and output gets out. */
export type Channels =
  /** virtio-serial ports `unik.config`, `unik.control`, `unik.out`, `unik.err` (design D6). */
  | { kind: 'virtio-serial' }
  /** A file that the firmware hands over; events, output and errors on serial ports of their own. */
  | { kind: 'firmware' }
  /** No channel but the serial console; the config is in the command line or on a disk. */
  | { kind: 'serial' };

/** What one instance adds to its machine, once its addresses are known. Holds secrets. */
export interface Configured {
  /** In place of `BootPlan.cmdline`. */
  cmdline?: string;
  /** For `firmware` channels. */
  file?: Uint8Array;
  /** Written over an `overlay` disk. `from`: a file on this host. */
  patches?: { disk: number; offset: number; content: Uint8Array | { from: string } }[];
}

/** A line of the console that tells how the machine ended. */
export interface EndSign {
  /** A regular expression; its first group is put for `$1` in the message. */
  pattern: string;
  reason: Exit['reason'];
  message: string;
  /** The first group is the application's exit status. */
  hasCode?: boolean | undefined;
  /** The kernel goes on after it, so the machine is ended by us. */
  cut?: boolean | undefined;
}

/**
 * What runs the kernel where no hypervisor can. It takes the kernel's command line on its own, which everybody on the
 * host reads, so nothing of the environment may be in it (`executor/boot.ts` sees to that).
 */
export interface Tender {
  name: TenderName;
  /** The kernel's own names of its network devices, each of which must be attached. */
  networks: readonly string[];
}

/** What a provider must do to boot this image: a pure function of image, kernel and limits. */
export interface BootPlan {
  guest: GuestName;
  arch: Arch;
  /** Absent: the machine starts from its first disk. */
  kernel?: string;
  initrd?: string;
  cmdline: string;
  disks: Disk[];
  channels: Channels;
  /** Throws environment_too_large, bad_request. */
  configure?: (config: InstanceConfig) => Configured;
  /** Features of the processor that the kernel cannot do without. */
  cpuFeatures?: readonly string[];
  /** A network card would be in its way. */
  noNetwork?: boolean;
  /** There is no driver for a device of random numbers. */
  noEntropy?: boolean;
  /** The application is told to end by the power button. */
  powerButton?: boolean;
  /** The guest ends by writing its status to this port of the processor, where the machine has a device for it. */
  exitPort?: number;
  endSigns?: readonly EndSign[];
  /** Runs it in place of a hypervisor. */
  tender?: Tender;
  /** The same from one disk of its own, where a provider boots nothing else. Absent: the guest cannot. */
  disk?: DiskBoot;
}

/** What `executor/disks` makes a bootable disk of; paths. `cmdline` lacks where the instance config lies. */
export interface DiskBoot {
  kernel: string;
  initrd: string;
  root: string;
  cmdline: string;
}

/** What a guest offers and what it lacks, as data: pairings, the suitability check and the documentation read it. */
export interface GuestCapabilities {
  /** The application is told when it is to end. */
  signals: boolean;
  exitStatus: boolean;
  stderrApart: boolean;
  /** Other programs can be started. */
  fork: boolean;
  maxCpus: number;
  /** Files of an image are seen by programs; false: the application is the kernel. */
  files: boolean;
  /** Files can be written: to a disk of the machine, to its memory, or not at all. */
  writes: 'disk' | 'memory' | 'none';
  /** Only programs that can be loaded at any address. */
  onlyPositionIndependent: boolean;
  /** Functions that always fail there. */
  unsupported: readonly string[];
  /** How many bytes of environment and arguments arrive; absent: any that a machine can hold. */
  environmentBytes?: number;
  /** Network cards and disk controllers that there are drivers for. */
  devices: { network: readonly string[]; disk: readonly string[] };
}

/** Knows one kind of guest: root format, boot line, console quirks, and how configuration reaches the app. Pure. */
export interface Guest {
  readonly name: GuestName;
  /** What an image made now asks of a kernel. */
  readonly abi: string;
  readonly capabilities: GuestCapabilities;
  /** Paths in the plan are absolute paths on this host. */
  plan(
    image: Image & { dir: string },
    kernel: KernelEntry & { dir: string; limits?: KernelLimits },
    limits: Limits,
  ): BootPlan;
  /** Lines of the serial console that are the kernel's; others are the application's. Absent: all are. */
  readonly kernelLines?: RegExp;
  /** Memory that the files of an image take while it runs, MB, for a root of so many bytes. Absent: none. */
  rootMemoryMb?(bytes: number): number;
  /** Brings the kernel itself: the image's root file is what boots, and the catalogue is not asked. */
  readonly ownKernel?: { overhead_mb: number };
  /** How files become a root. Absent for `ownKernel`. */
  readonly root?: RootFormat;
}

/** Writes the tree as this guest wants its root; the file `path` is new. The same tree gives the same bytes. */
export interface RootFormat {
  format: Image['root']['format'];
  file: string;
  /** What must be in the tree beside the application. */
  prepare?: (tree: RootTree) => void;
  write: (tree: FolderEntry, path: string, signal?: AbortSignal) => Promise<{ digest: string; bytes: number }>;
}
