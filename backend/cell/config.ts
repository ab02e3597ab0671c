/** Configuration of a cell: one JSON file, parsed once. `manifests/cell.example.json` shows every key. */
import { statfs } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { parseDuration } from '../../core/duration.js';
import { checkedConfig, readConfigFile } from '../../core/config-file.js';
import { messageOf } from '../../core/errors.js';
import type { IdentityFiles } from '../../core/tls.js';
import { HOST_RESERVE_MB } from '../../executor/capacity.js';
import { configSchema } from '../config.js';
import { providerName, providerOptions } from '../provider-config.js';

const word = z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/, 'letters, digits, `_`, `.` and `-`');
const path = z.string().min(1);
const amount = z.union([z.literal('auto'), z.number().int().min(1)]).default('auto');

/** `30s`, `1m30s`; milliseconds once parsed. */
export const duration = z.string().transform((text, context) => {
  try {
    const ms = parseDuration(text);
    if (ms > 0) return ms;
    context.addIssue('must be more than nothing');
  } catch (err) {
    context.addIssue(messageOf(err));
  }
  return z.NEVER;
});
const lasting = (text: string) => duration.prefault(text);

/** `host:port`, the host of an IPv6 address in brackets. */
export const endpoint = z.string().transform((text, context) => {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host !== undefined && Number(port) > 0 && Number(port) < 65_536) return { host, port: Number(port) };
  context.addIssue('must be HOST:PORT');
  return z.NEVER;
});

const identity = { ca_file: path, cert_file: path, key_file: path };
const tls = z.strictObject(identity);
/** Those that are missing are those of `tls`. */
const ownIdentity = tls.partial().shape;

export const stagingSchema = z.strictObject({
  /** What staging reaches: nothing, or names and the internet less the host, `network.deny` and `deny`. */
  network: z.enum(['off', 'filtered']).default('filtered'),
  deny: z.array(z.string()).default([]),
  /** In place of that: an HTTP proxy, and nothing beside it. */
  proxy: endpoint.optional(),
  /** A root tree in place of the host's programs: a folder, or a tar of one. Relative: to this file. */
  rootfs: path.optional(),
  /** Further files and folders of the host that may be read, such as /etc/npmrc. */
  readable: z.array(path).default([]),
  /** Of every program of a task, before what the task says; UNIK_KERNELS, PIP_INDEX_URL, UNIK_ARM64_ROOT. */
  env: z.record(z.string().regex(/^[A-Za-z_]\w*$/), z.string()).default({}),
  /** Folders with programs, as a task sees them. */
  path: z.string().min(1).default('/usr/local/go/bin:/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin'),
  /** What lifecycles and buildpacks take, unpacked. */
  cache_mb: z.number().int().min(1).default(4_096),
  /** What one program may write to its output. */
  output_mb: z.number().int().min(1).default(16),
  /** No program of a task runs longer, whatever the task says. */
  timeout: lasting('1h'),
  /** User ids that nobody else on this host has: where the cell is root, each program gets its own. */
  accounts: z
    .strictObject({ first: z.number().int().min(1_000), count: z.number().int().min(1) })
    .default({ first: 2_146_000_000, count: 64 }),
});

export const cellSchema = z.strictObject({
  /** The key of this cell everywhere in Diego. */
  cell_id: word,
  /** First half of the owner that every machine carries; the cell's id is the second. */
  deployment: word.default('cf'),
  zone: z.string().default(''),
  /** For BBS and auctioneer. */
  listen_addr: endpoint.prefault('0.0.0.0:1801'),
  /** For the drain script of this host. */
  admin_addr: endpoint.prefault('127.0.0.1:1800'),
  /** Plain HTTP for Prometheus: `/metrics`. Absent: there is none. */
  status_addr: endpoint.optional(),
  /** Where routers and Diego reach this cell: CF_INSTANCE_IP. */
  external_address: z.union([z.ipv4(), z.ipv6()]),
  /** Where BBS and auctioneer reach the listening address. Default: the external address. */
  rep_url: z.url({ protocol: /^https$/ }).optional(),
  /** Who we are on both doors, and to BBS and Locket unless they name another identity. */
  tls,
  bbs: z.strictObject({
    url: z.url({ protocol: /^https$/ }),
    ...ownIdentity,
    timeout: lasting('10s'),
  }),
  locket: z.strictObject({
    address: z.string().regex(/^.+:\d+$/, 'must be HOST:PORT'),
    ...ownIdentity,
    keepalive_time: lasting('10s'),
    keepalive_timeout: lasting('22s'),
    lock_ttl: lasting('15s'),
    heartbeat: lasting('5s'),
  }),
  /** The Loggregator agent that takes logs and metrics. Absent: `cf logs` shows nothing. */
  loggregator: z
    .strictObject({
      address: z.string().regex(/^.+:\d+$/, 'must be HOST:PORT'),
      ...ownIdentity,
      /** Name in the agent's certificate. */
      server_name: z.string().min(1).default('metron'),
    })
    .optional(),
  /** Who tells routers where instances are. `external`: Diego's own route-emitter does, on this host. */
  routes: z
    .strictObject({
      emitter: z.enum(['builtin', 'external']).default('external'),
      /** Where routers listen; `builtin` needs it. */
      nats: z
        .strictObject({
          servers: z.array(endpoint).min(1),
          user: z.string().min(1).optional(),
          /** Holds the password alone. Relative: to this file. */
          password_file: path.optional(),
          /** `off`: only towards a server on this host. */
          tls: z.enum(['on', 'off']).default('on'),
          ...ownIdentity,
        })
        .optional(),
      /** Names under `apps.internal` too: where the addresses of machines can be reached from other cells. */
      internal: z.boolean().default(false),
    })
    .refine(({ emitter, nats }) => emitter === 'external' || nats, {
      path: ['nats'],
      message: 'is needed where the emitter is builtin',
    })
    .prefault({}),
  stacks: z.array(word).min(1).default(['unik']),
  provider: providerName.default('qemu'),
  provider_options: providerOptions,
  /** What all machines together may use; `auto`: what the host has, less what it needs itself. */
  memory_mb: amount,
  disk_mb: amount,
  containers: amount,
  placement_tags: z.array(z.string().min(1)).default([]),
  optional_placement_tags: z.array(z.string().min(1)).default([]),
  polling_interval: lasting('30s'),
  evacuation_polling_interval: lasting('10s'),
  evacuation_timeout: lasting('10m'),
  container_metrics_report_interval: lasting('15s'),
  /** How soon after a failure the BBS is asked whether it is back. */
  retry_interval: lasting('5s'),
  /** What downloads that come again may take on disk. */
  download_cache_mb: z.number().int().min(1).default(10_240),
  /** How many images that nothing runs are kept. */
  spare_images: z.number().int().min(0).default(20),
  /** Images are made on this cell for what no stager of ours has made one for. */
  compose_at_start: z.boolean().default(false),
  /** A root file system that such images build on. Absent: this host's own programs. Relative: to this file. */
  compose_base: path.optional(),
  /** Present: staging tasks are carried out here, in sandboxes. Absent: they are refused. */
  staging: stagingSchema.optional(),
  /** State of this cell: records, images, machines. Relative: to this file. */
  home: path,
  network: configSchema.shape.network,
  logs: configSchema.shape.logs,
  log_level: configSchema.shape.log_level,
});

export type CellFile = z.output<typeof cellSchema>;
export type CellConfig = Omit<CellFile, 'memory_mb' | 'disk_mb' | 'containers' | 'rep_url' | 'tls'> & {
  /** Of the doors, towards the BBS, Locket, the Loggregator agent, NATS. */
  identities: Record<'tls' | 'bbs' | 'locket' | 'loggregator' | 'nats', IdentityFiles>;
  owner: string;
  rep_url: string;
  /** Older field of the presence; nobody calls it. */
  rep_address: string;
  capacity: { memory_mb: number; disk_mb: number; containers: number };
};

const MOST_CONTAINERS = 250;

/** Reads and completes the configuration. Throws config_invalid naming file and key. */
export async function loadCellConfig(file: string): Promise<CellConfig> {
  const { memory_mb, disk_mb, containers, rep_url, tls, ...rest } = parseCellConfig(await readConfigFile(file), file);
  const { cell_id, external_address, listen_addr, admin_addr, bbs, locket, loggregator } = rest;
  const address = external_address.includes(':') ? `[${external_address}]` : external_address;
  const home = resolve(dirname(file), rest.home);
  const { staging, compose_base } = rest;
  const base = compose_base === undefined ? {} : { compose_base: resolve(dirname(file), compose_base) };
  const { nats } = rest.routes;
  const password =
    nats?.password_file === undefined ? {} : { password_file: resolve(dirname(file), nats.password_file) };
  const rootfs = staging?.rootfs === undefined ? {} : { rootfs: resolve(dirname(file), staging.rootfs) };
  return {
    ...rest,
    ...(staging ? { staging: { ...staging, ...rootfs } } : {}),
    routes: { ...rest.routes, ...(nats ? { nats: { ...nats, ...password } } : {}) },
    ...base,
    home,
    owner: `${rest.deployment}/${cell_id}`,
    identities: {
      ...{ tls, bbs: filesOf(bbs, tls), locket: filesOf(locket, tls) },
      loggregator: loggregator ? filesOf(loggregator, tls) : tls,
      nats: nats ? filesOf(nats, tls) : tls,
    },
    rep_url: rep_url ?? `https://${address}:${listen_addr.port}`,
    rep_address: `http://${address}:${admin_addr.port}`,
    capacity: {
      memory_mb: memory_mb === 'auto' ? hostMemoryMb() : memory_mb,
      disk_mb: disk_mb === 'auto' ? await freeDiskMb(home) : disk_mb,
      containers: containers === 'auto' ? MOST_CONTAINERS : containers,
    },
  };
}

export function parseCellConfig(value: unknown, file: string): CellFile {
  return checkedConfig(cellSchema, value, file);
}

function filesOf(own: { [K in keyof IdentityFiles]?: string | undefined }, usual: IdentityFiles): IdentityFiles {
  const { ca_file = usual.ca_file, cert_file = usual.cert_file, key_file = usual.key_file } = own;
  return { ca_file, cert_file, key_file };
}

function hostMemoryMb(): number {
  return Math.max(256, Math.floor(totalmem() / 2 ** 20) - HOST_RESERVE_MB);
}

/** Of the file system on which `home` is, or will be. */
async function freeDiskMb(home: string): Promise<number> {
  try {
    const { bsize, bavail } = await statfs(home);
    return Math.max(1, Math.floor((bsize * bavail) / 2 ** 20));
  } catch {
    // Not made yet.
    return freeDiskMb(dirname(home));
  }
}
