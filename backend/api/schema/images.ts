/** What the API says about images and kernels. */
import { z } from 'zod';
import { DISK_FORMATS } from '../../../executor/disks/format-names.js';
import { imageSchema } from '../../../executor/images/image.js';
import { kernelEntrySchema, kernelLimitsSchema } from '../../../executor/kernels/kernel.js';
import { GUESTS } from '../../../executor/model.js';
import { flag } from './common.js';

const arch = z.enum(['x86_64', 'aarch64']);

export const imageSummary = z.strictObject({
  digest: z.string(),
  names: z.array(z.string()),
  guest: z.string(),
  arch: z.string(),
  bytes: z.number().int(),
  created: z.string(),
  ports: z.array(z.number().int()),
  processes: z.array(z.string()),
});
export type ImageSummary = z.infer<typeof imageSummary>;

export const imageDetail = imageSchema.extend({ names: z.array(z.string()) });
export type ImageDetail = z.infer<typeof imageDetail>;

export const imageRef = z.strictObject({ ref: z.string().min(1) });
export const exportQuery = z.strictObject({
  /** `vmdk-flat` comes as a tar with its two files. */
  format: z.enum(DISK_FORMATS),
});
export const imageRemoveQuery = z.strictObject({ force: flag });
export const imageRemoved = z.strictObject({
  untagged: z.array(z.string()),
  /** The digest, when the image itself went too. */
  deleted: z.string().optional(),
  /** With `force`: the instances that went with it. */
  instances: z.array(z.string()),
});
export const tagRequest = z.strictObject({ name: z.string().min(1) });

/** `path`: a folder on the daemon's own host; only taken on its Unix socket. */
export const buildRequest = z.strictObject({
  path: z.string().startsWith('/'),
  name: z.string().min(1).optional(),
  shell: z.boolean().optional(),
  /** Absent: the smallest that suits and has a kernel here. */
  guest: z.enum(GUESTS).optional(),
  /** A kernel entry: the image then boots with no other. */
  kernel: z.string().min(1).optional(),
  /** Absent: the daemon's own. */
  arch: arch.optional(),
});
/** With an uploaded tar stream the same things stand in the query. */
export const buildQuery = z.strictObject({
  name: z.string().min(1).optional(),
  shell: flag,
  guest: z.enum(GUESTS).optional(),
  kernel: z.string().min(1).optional(),
  arch: arch.optional(),
});

/** Lines of a streamed build: any number of `progress`, then one `image` (or an error line). */
export const buildLine = z.union([z.strictObject({ progress: z.string() }), z.strictObject({ image: imageSummary })]);
export type BuildLine = z.infer<typeof buildLine>;

export const kernelView = kernelEntrySchema.extend({ limits: kernelLimitsSchema.optional() });
export type KernelView = z.infer<typeof kernelView>;
/**
 * `path`, on the daemon's own host: an unpacked distribution kernel package; with `guest`, a prebuilt kernel for it or a
 * folder with one.
 */
export const kernelImport = z.strictObject({
  path: z.string().startsWith('/'),
  guest: z.enum(GUESTS).optional(),
  arch: arch.optional(),
  version: z.string().min(1).max(64).optional(),
});
/** `credentials`: a file on the daemon's own host, in the form of Docker's config.json. */
export const kernelPull = z.strictObject({
  ref: z.string().min(1),
  guest: z.enum(GUESTS).optional(),
  arch: arch.optional(),
  digest: z.string().optional(),
  credentials: z.string().startsWith('/').optional(),
});
export const kernelRef = z.strictObject({ id: z.string().min(1) });
export const kernelVerified = z.strictObject({
  id: z.string(),
  ok: z.literal(true),
  /** What booting it showed; absent where a guest's kernel hides nothing. */
  limits: kernelLimitsSchema.optional(),
});
export const kernelRemoved = z.strictObject({ id: z.string(), ok: z.literal(true) });
