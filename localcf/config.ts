/** Options of `unik up`: a JSON file, every key optional. docs/operating.md lists them. */
import { z } from 'zod';
import { checkedConfig, readConfigFile } from '../core/config-file.js';

const port = z.int().min(0).max(65_535);
const loopback = '127.0.0.1';
const tlsFiles = z.strictObject({ ca_file: z.string(), cert_file: z.string(), key_file: z.string() });

export const configSchema = z.strictObject({
  api: z.strictObject({ host: z.string().default(loopback), port: port.default(8001) }).prefault({}),
  router: z.strictObject({ host: z.string().default(loopback), port: port.default(8000) }).prefault({}),
  /** Names below `localhost` lead to this machine without a name server. */
  apps_domain: z.string().default('apps.localhost'),
  /** How many cells are started here; 0: none. */
  cells: z.int().min(0).max(16).default(1),
  stacks: z.array(z.string().min(1)).min(1).default(['unik', 'unik-qemu']),
  /** The stack of apps that name none. */
  default_stack: z.string().min(1).default('cflinuxfs4'),
  /** Laid over the generated configuration of each cell (manifests/cell.example.json). */
  cell: z.record(z.string(), z.unknown()).default({}),
  /** A Diego of another's, in place of the one inside. Its certificates are then for all. */
  diego: z
    .strictObject({
      bbs_url: z.url({ protocol: /^https$/ }),
      locket_address: z.string().regex(/^.+:\d+$/, 'must be HOST:PORT'),
      tls: tlsFiles,
    })
    .optional(),
  /** A log-cache of another's, and the agent that fills it. */
  logs: z
    .strictObject({
      url: z.url({ protocol: /^https?$/ }),
      agent: z.string().regex(/^.+:\d+$/, 'must be HOST:PORT'),
      /** Towards that agent; default: those of all. */
      tls: tlsFiles.optional(),
    })
    .optional(),
  /** A router of another's: cells register there over NATS. */
  nats: z
    .strictObject({
      servers: z.array(z.string()).min(1),
      user: z.string().optional(),
      /** Holds the password alone. */
      password_file: z.string().optional(),
      tls: z.enum(['on', 'off']).default('on'),
    })
    .optional(),
  defaults: z
    .strictObject({
      memory_mb: z.int().min(1).default(128),
      disk_mb: z.int().min(1).default(1024),
      log_rate_limit: z.int().min(-1).default(1_048_576),
      health_check_timeout_s: z.int().min(1).default(60),
      max_health_check_timeout_s: z.int().min(1).default(180),
      staging_memory_mb: z.int().min(1).default(1024),
      staging_disk_mb: z.int().min(1).default(4096),
    })
    .prefault({}),
  limits: z
    .strictObject({
      package_bytes: z.int().min(1).default(1_610_612_736),
      buildpack_bytes: z.int().min(1).default(1_610_612_736),
      droplet_bytes: z.int().min(1).default(2_147_483_648),
    })
    .prefault({}),
  log_level: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
});
export type LocalCfConfig = z.output<typeof configSchema>;

/** Throws config_invalid naming file and key. */
export async function loadConfig(file: string | undefined): Promise<LocalCfConfig> {
  if (file === undefined) return configSchema.parse({});
  return checkedConfig(configSchema, await readConfigFile(file), file);
}
