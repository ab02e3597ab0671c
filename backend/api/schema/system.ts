/** What the API says about the daemon and its host. */
import { z } from 'zod';
import { PROVIDERS } from '../../../executor/model.js';
import { finding, millis } from './common.js';

const share = z.strictObject({ total: z.number(), available: z.number() });

export const info = z.strictObject({
  /** The Cloud Foundry stack that this daemon serves (design 4.4). */
  stack: z.string(),
  version: z.string(),
  api: z.literal('v1'),
  owner: z.string(),
  home: z.string(),
  pid: z.number().int(),
  started_at: millis,
  provider: z.enum(PROVIDERS),
  accelerator: z.string().optional(),
  capacity: z.strictObject({ memory_mb: share, disk_mb: share, machines: share }),
});

export const providerView = z.strictObject({
  name: z.enum(PROVIDERS),
  default: z.boolean(),
  healthy: z.boolean(),
  summary: z.string(),
  accelerator: z.string().optional(),
  networks: z.array(z.string()),
});

export const providerRef = z.strictObject({ name: z.string().min(1) });
export const providerPolicy = z.strictObject({ policy: z.record(z.string(), z.unknown()) });

export const guestView = z.strictObject({
  name: z.string(),
  /** Providers it runs on. */
  providers: z.array(z.string()),
  signals: z.boolean(),
  exit_status: z.boolean(),
  stderr_apart: z.boolean(),
  fork: z.boolean(),
  max_cpus: z.number().int(),
});

export const doctorReport = z.strictObject({
  ok: z.boolean(),
  /** What machines of the default provider run on, such as `tcg` or `kvm`. */
  accelerator: z.string().optional(),
  findings: z.array(finding),
});
export type DoctorReport = z.infer<typeof doctorReport>;

/** `owner`: `deployment/cell_id` of a dead cell; default: the daemon's own strays. */
export const gcRequest = z.strictObject({ owner: z.string().min(1).optional() });
export const gcReply = z.strictObject({
  machines: z.array(z.string()),
  temporary_files: z.number().int(),
});
export const shutdownReply = z.strictObject({ stopped: z.number().int() });
