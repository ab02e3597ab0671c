import { z } from 'zod';
import { GUESTS } from '../model.js';

export const digestPattern = /^sha256:[0-9a-f]{64}$/;

export const findingSchema = z.strictObject({
  level: z.enum(['info', 'warning', 'refused']),
  /** Stable, such as `listens_on_fixed_port`. */
  code: z.string(),
  message: z.string(),
  file: z.string().optional(),
  symbol: z.string().optional(),
  remedy: z.string().optional(),
});

/** `image.json` (design 4.1). The digest covers everything here but `digest`, `created` and `labels`. */
export const imageSchema = z.strictObject({
  schema: z.literal(1),
  digest: z.string().regex(digestPattern),
  guest: z.enum(GUESTS),
  abi: z.string(),
  /** A kernel digest, only for kernels the user brings. */
  pin: z.string().regex(digestPattern).optional(),
  arch: z.enum(['x86_64', 'aarch64']),
  root: z.strictObject({
    format: z.enum(['erofs', 'cpio', 'raw', 'tfs', 'rofs']),
    file: z.string(),
    digest: z.string().regex(digestPattern),
    bytes: z.number().int().nonnegative(),
  }),
  /**
   * argv words may hold `$NAME`, `${NAME}` or `${NAME:-default}` where `expand` is true: they are replaced from the
   * instance's environment when it starts, without a shell and without splitting.
   */
  processes: z.record(
    z.string(),
    z.strictObject({ argv: z.array(z.string()).min(1), cwd: z.string(), expand: z.boolean().optional() }),
  ),
  env: z.record(z.string(), z.string()),
  ports: z.array(z.number().int().min(1).max(65535)),
  volumes: z.array(z.string()),
  /** For a kernel that calls its network devices by names, which who runs it must know: those names. */
  networks: z.array(z.string().regex(/^[A-Za-z0-9]{1,67}$/)).optional(),
  created: z.string(),
  labels: z.record(z.string(), z.string()),
  findings: z.array(findingSchema),
});
export type Image = z.infer<typeof imageSchema>;
export type ImageFinding = z.infer<typeof findingSchema>;
