import { z } from 'zod';

const word = z.string().regex(/^[\w.-]+$/);

/** `providers_config.aws` of a cell. Credentials are never here: a file of their own, or the SDK's usual chain. */
export const awsConfigSchema = z.strictObject({
  region: word,
  /** JSON with access_key_id, secret_access_key and, for temporary ones, session_token; mode 0600. Absent: environment, shared files or the host's role. */
  credentials_file: z.string().min(1).optional(),
  subnet_id: word,
  /** They must let the cell in: to the published ports, and to port 9967 of the guest. */
  security_group_ids: z.array(word).min(1),
  /** `public`: where the cell is outside the VPC. */
  address: z.enum(['private', 'public']).default('private'),
  /** From small to large; the first that is large enough is taken. All must be of the same kind (Nitro, x86_64). */
  instance_types: z
    .array(
      z.strictObject({ type: z.string().min(1), memory_mb: z.number().int().min(1), cpus: z.number().int().min(1) }),
    )
    .min(1)
    .default([
      { type: 't3.nano', memory_mb: 512, cpus: 2 },
      { type: 't3.micro', memory_mb: 1024, cpus: 2 },
      { type: 't3.small', memory_mb: 2048, cpus: 2 },
      { type: 't3.medium', memory_mb: 4096, cpus: 2 },
      { type: 't3.large', memory_mb: 8192, cpus: 2 },
      { type: 't3.xlarge', memory_mb: 16384, cpus: 4 },
      { type: 't3.2xlarge', memory_mb: 32768, cpus: 8 },
    ]),
  volume_type: z.enum(['gp3', 'gp2']).default('gp3'),
  /** Further tags of everything that costs, such as a cost centre. */
  tags: z.record(z.string(), z.string()).default({}),
  upload_workers: z.number().int().min(1).max(64).default(16),
  /** Another address of the API. */
  endpoint: z.url().optional(),
});
export type AwsConfig = z.output<typeof awsConfigSchema>;

export const awsCredentialsSchema = z.object({
  access_key_id: z.string().min(1),
  secret_access_key: z.string().min(1),
  session_token: z.string().min(1).optional(),
});
