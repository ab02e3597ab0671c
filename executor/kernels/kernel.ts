import { z } from 'zod';
import { GUESTS } from '../model.js';

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
  files: z.strictObject({ kernel: z.string(), initrd: z.string().optional() }),
  /** Measured: guest memory that the kernel and our init need beside the application, MB. */
  overhead_mb: z.number().int().nonnegative(),
  imported: z.string(),
});
export type KernelEntry = z.infer<typeof kernelEntrySchema>;
