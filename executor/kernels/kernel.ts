import { z } from 'zod';
import { GUESTS } from '../model.js';

/** How a kernel is started. */
export const BOOT_PROTOCOLS = ['linux', 'multiboot', 'pvh', 'bios'] as const;

/** Beside the record, and nowhere else. */
const fileName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);

/** One kernel of the catalogue (design D7): `kernel.json` in its folder, files beside it. */
export const kernelEntrySchema = z.strictObject({
  schema: z.literal(1),
  /** Unique: `<guest>-<version>-<first 12 hex of digest>`. */
  id: z.string(),
  guest: z.enum(GUESTS),
  /** What an image asks for, such as `linux-virtio-1`. */
  abi: z.string(),
  version: z.string(),
  arch: z.enum(['x86_64', 'aarch64']),
  /** sha256 over names and contents of the files. */
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  /** Relative to the entry's folder. */
  files: z.strictObject({
    kernel: fileName,
    initrd: fileName.optional(),
    /** The start of a disk that boots this kernel. */
    head: fileName.optional(),
    /** The settings it was built with, as its maker gave them. */
    settings: fileName.optional(),
    /** Libraries that belong to the kernel and lie in the root. */
    support: fileName.optional(),
    /** For disks that boot elsewhere: the kernel as packaged, and an initramfs with drivers of many machines. */
    disk_kernel: fileName.optional(),
    disk_initrd: fileName.optional(),
  }),
  /** Measured: guest memory that the kernel and our init need beside the application, MB. */
  overhead_mb: z.number().int().nonnegative(),
  imported: z.string(),
  boot: z.enum(BOOT_PROTOCOLS).optional(),
  /** Devices it has drivers for. */
  drivers: z.array(z.string()).optional(),
  /** Where it came from: a file name, or a reference with its digest. */
  origin: z.string().optional(),
});
export type KernelEntry = z.infer<typeof kernelEntrySchema>;

/** What a prebuilt kernel was found to hold by booting it: `limits.json` beside `kernel.json`. */
export const kernelLimitsSchema = z.strictObject({
  schema: z.literal(1),
  probed: z.string(),
  /** A test program ran. */
  boots: z.boolean(),
  /** Variables that arrive by the command line; `atLeast`: more were not tried. */
  variables: z.strictObject({ count: z.number().int(), atLeast: z.boolean() }).optional(),
  /** Words that the kernel's part of the command line may have; beyond it does not boot. */
  arguments: z.strictObject({ count: z.number().int(), atLeast: z.boolean() }).optional(),
  /** TCP connections, from the kernel's settings where they came with it. */
  connections: z.number().int().optional(),
  /** The launcher runs there: any number of variables arrives, and the end of the application is known. */
  launcher: z.boolean().optional(),
  /** Writing several pieces at once keeps them all. */
  writev: z.boolean().optional(),
});
export type KernelLimits = z.infer<typeof kernelLimitsSchema>;
