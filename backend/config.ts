import { randomBytes } from 'node:crypto';
import { totalmem } from 'node:os';
import { z } from 'zod';
import { checkedConfig, readConfigFile } from '../core/config-file.js';
import { homePaths } from '../core/home.js';
import { readJsonFile, writeJsonFile } from '../core/json-file.js';
import { NETWORK_MODES } from '../executor/model.js';
import { addressPoolSchema } from '../executor/remote/pool-config.js';
import { providerName, providerOptions } from './provider-config.js';

const megabytes = z.number().int().min(1);
const cidr = z.union([z.cidrv4(), z.cidrv6()]);
const address = z.union([z.ipv4(), z.ipv6()]);
const word = z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/, 'letters, digits, `_`, `.` and `-`');

/** `$UNIK_HOME/config.json`. Every key has a default; an unknown one is refused. docs/operating.md tells each. */
export const configSchema = z.strictObject({
  /** First half of the owner that every machine carries. */
  deployment: word.default('local'),
  /** Second half. Default: made once per home and kept in `cell-id.json`. */
  cell_id: word.optional(),
  provider: providerName.default('qemu'),
  /** Providers to offer beside the default one. */
  providers: z.array(providerName).default([]),
  /** What providers need to know, by name. docs/operating.md tells each. */
  provider_options: providerOptions,
  stack: word.default('unik'),
  /** What all machines together may use. Default: the host's memory less 1024 MB. */
  memory_mb: megabytes.optional(),
  /** What all machines together may write. Sparse, so it may be more than there is. */
  disk_mb: megabytes.default(1_000_000),
  max_machines: z.number().int().min(1).default(250),
  /** What one instance gets when nothing else is asked. */
  defaults: z.strictObject({ memory_mb: megabytes.default(256), disk_mb: megabytes.default(1024) }).prefault({}),
  network: z
    .strictObject({
      /** `auto`: the best that works here. */
      mode: z.enum(['auto', ...NETWORK_MODES]).default('auto'),
      deny: z.array(cidr).default([]),
      dns: z.array(address).default([]),
      guest_subnet: z.cidrv4().default('10.201.0.0/16'),
      link_subnet: z.cidrv4().default('10.202.0.0/16'),
      /** A bridge of this host, for machines with network `bridge`, and whose its addresses are. */
      bridge: z
        .strictObject({
          name: z.string().regex(/^[^\s/]{1,15}$/),
          addresses: z.union([z.literal('dhcp'), addressPoolSchema]),
        })
        .optional(),
    })
    .prefault({}),
  logs: z
    .strictObject({
      /** Per instance: so many files of so many bytes. */
      file_bytes: z.number().int().min(4096).default(5_242_880),
      files: z.number().int().min(1).max(100).default(2),
    })
    .prefault({}),
  log_level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  /** TCP beside the Unix socket; never without TLS and a token. */
  listen: z
    .strictObject({
      host: z.string().min(1).default('127.0.0.1'),
      port: z.number().int().min(1).max(65535),
      /** PEM files; with `ca`, callers must show a certificate that it signed. */
      tls: z.strictObject({ cert: z.string(), key: z.string(), ca: z.string().optional() }),
      /** A file that holds the bearer token, at least 16 characters. */
      token_file: z.string(),
    })
    .optional(),
});
export type ConfigFile = z.output<typeof configSchema>;
export type Config = Omit<ConfigFile, 'cell_id' | 'memory_mb'> & { home: string; owner: string; memory_mb: number };

/** Reads and completes the configuration of a home. Throws config_invalid naming file and key. */
export async function loadConfig(home: string): Promise<Config> {
  const paths = homePaths(home);
  const { cell_id, memory_mb, ...file } = parseConfig(await readConfigFile(paths.config, {}), paths.config);
  const cell = cell_id ?? (await ownCellId(paths.cellId));
  return { ...file, home, owner: `${file.deployment}/${cell}`, memory_mb: memory_mb ?? hostMemoryMb() };
}

export function parseConfig(value: unknown, path: string): ConfigFile {
  return checkedConfig(configSchema, value, path);
}

/** Made once: machines of an earlier daemon of this home must stay ours. */
async function ownCellId(path: string): Promise<string> {
  const known = z.strictObject({ cell_id: word }).safeParse(await readJsonFile(path));
  if (known.success) return known.data.cell_id;
  const cell_id = `cell-${randomBytes(6).toString('hex')}`;
  await writeJsonFile(path, { cell_id });
  return cell_id;
}

function hostMemoryMb(): number {
  return Math.max(256, Math.floor(totalmem() / 2 ** 20) - 1024);
}
