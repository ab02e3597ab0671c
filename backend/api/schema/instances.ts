/** What the API says about instances: a *unik instance* is a named app whose machine may be replaced at each start. */
import { z } from 'zod';
import { NETWORK_MODES, PROVIDERS } from '../../../executor/model.js';
import { ERROR_CODES, flag, instanceName, millis, queryInteger } from './common.js';

const port = z.number().int().min(1).max(65535);
const duration = z.number().int().min(1).max(86_400_000);

export const portRequest = z.strictObject({
  host_address: z.union([z.ipv4(), z.ipv6()]).default('127.0.0.1'),
  /** 0: any free one. */
  host_port: z.number().int().min(0).max(65535).default(0),
  guest_port: port,
  protocol: z.enum(['tcp', 'udp']).default('tcp'),
});

/** All times in milliseconds. What is left out is chosen from image, ports and accelerator. */
export const healthRequest = z.strictObject({
  type: z.enum(['port', 'http', 'process']).optional(),
  path: z.string().startsWith('/').optional(),
  port: port.optional(),
  interval_ms: duration.optional(),
  timeout_ms: duration.optional(),
  /** How long the first success may take. */
  start_period_ms: duration.optional(),
  retries: z.number().int().min(1).max(100).optional(),
});
export type HealthRequest = z.infer<typeof healthRequest>;

export const restartPolicy = z.strictObject({
  policy: z.enum(['no', 'on-failure', 'always', 'unless-stopped']),
  /** Only with `on-failure`: give up after so many restarts in a row. */
  max_retries: z.number().int().min(1).optional(),
});
export type RestartPolicy = z.infer<typeof restartPolicy>;

const envName = z.string().regex(/^[^=\0]+$/, 'a name without `=`');
const envValue = z.string().refine((value) => !value.includes('\0'), 'a value without a zero byte');

export const instanceRequest = z.strictObject({
  name: instanceName.optional(),
  /** A name, a digest or a unique prefix of one. */
  image: z.string().min(1),
  /** Process type of the image; default `web`, or the only one there is. */
  process: z.string().min(1).optional(),
  /** Replaces the image's program and arguments. */
  command: z.array(z.string()).min(1).optional(),
  cwd: z.string().startsWith('/').optional(),
  env: z.record(envName, envValue).default({}),
  memory_mb: z.number().int().min(1).optional(),
  disk_mb: z.number().int().min(1).optional(),
  cpus: z.number().int().min(1).max(64).default(1),
  ports: z.array(portRequest).default([]),
  /** Publishes every port the image names, each on a free port of the host. */
  publish_all: z.boolean().default(false),
  network: z.enum(NETWORK_MODES).optional(),
  dns: z.array(z.union([z.ipv4(), z.ipv6()])).default([]),
  health: healthRequest.default({}),
  restart: restartPolicy.default({ policy: 'no' }),
  /** Remove the instance, and its logs, when it has ended. */
  auto_remove: z.boolean().default(false),
  hostname: z
    .string()
    .regex(/^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$/, 'a host name of at most 63 letters, digits and `-`')
    .optional(),
  provider: z.enum(PROVIDERS).optional(),
  /** Id of a kernel entry; default: the newest of the image's abi at each start. */
  kernel: z.string().min(1).optional(),
  /** Time between SIGTERM and power-off. */
  stop_timeout_ms: z.number().int().min(0).max(86_400_000).default(10_000),
  labels: z.record(z.string(), z.string()).default({}),
});
export type InstanceRequest = z.input<typeof instanceRequest>;
export type InstanceOrder = z.output<typeof instanceRequest>;

export const STATUSES = ['created', 'starting', 'running', 'stopping', 'restarting', 'exited'] as const;
export type Status = (typeof STATUSES)[number];

export const portView = z.strictObject({
  host_address: z.string(),
  host_port: z.number().int(),
  guest_port: z.number().int(),
  protocol: z.enum(['tcp', 'udp']),
});

export const exitView = z.strictObject({
  reason: z.enum([
    'exited',
    'killed',
    'oom',
    'kernel_panic',
    'boot_failed',
    'unhealthy',
    'start_timeout',
    'stopped',
    'start_failed',
  ]),
  /** What a shell would show as `$?`. */
  status: z.number().int(),
  signal: z.string().optional(),
  /** Why it could not be started. */
  error: z.enum(ERROR_CODES).optional(),
  message: z.string(),
  at: millis,
});
export type ExitView = z.infer<typeof exitView>;

/** One row of `unik ps`. Holds no secret. */
export const instanceSummary = z.strictObject({
  id: z.string(),
  name: z.string(),
  image: z.strictObject({ ref: z.string(), digest: z.string() }),
  provider: z.enum(PROVIDERS),
  status: z.enum(STATUSES),
  /** Traffic may be sent to it. */
  ready: z.boolean(),
  created_at: millis,
  started_at: millis.optional(),
  running_at: millis.optional(),
  exit: exitView.optional(),
  restarts: z.number().int(),
  memory_mb: z.number().int(),
  ports: z.array(portView),
  /** Address of the guest as this host reaches it. */
  address: z.string().optional(),
  /** Where the published TCP ports answer. */
  urls: z.array(z.string()),
  labels: z.record(z.string(), z.string()),
});
export type InstanceSummary = z.infer<typeof instanceSummary>;

const check = z.strictObject({
  kind: z.enum(['process', 'guest', 'port', 'http']),
  port: port.optional(),
  path: z.string().optional(),
  timeout_ms: z.number().optional(),
});

/** `unik inspect`. `env` values are `********` unless `show_env` was asked. */
export const instanceDetail = instanceSummary.extend({
  key: z.string().optional(),
  process: z.string(),
  command: z.array(z.string()).optional(),
  cwd: z.string().optional(),
  env: z.record(z.string(), z.string()),
  hostname: z.string(),
  cpus: z.number().int(),
  disk_mb: z.number().int(),
  network: z.strictObject({ mode: z.enum(NETWORK_MODES), dns: z.array(z.string()) }),
  health: z.strictObject({
    startup: check,
    start_timeout_ms: z.number().int(),
    liveness: z.strictObject({ check, interval_ms: z.number(), failures: z.number() }).optional(),
  }),
  restart: restartPolicy,
  auto_remove: z.boolean(),
  stop_timeout_ms: z.number().int(),
  /** The kernel entry it was booted with. */
  kernel: z.string().optional(),
  kernel_wanted: z.string().optional(),
  owner: z.string(),
});
export type InstanceDetail = z.infer<typeof instanceDetail>;

export const instanceRef = z.strictObject({ ref: z.string().min(1) });
export const listQuery = z.strictObject({ all: flag });
export const inspectQuery = z.strictObject({ show_env: flag });
export const stopRequest = z.strictObject({ timeout_ms: z.number().int().min(0).max(86_400_000).optional() });
export const startRequest = z.strictObject({ kernel: z.string().min(1).optional() });
export const restartRequest = stopRequest.extend({ kernel: z.string().min(1).optional() });
export const killRequest = z.strictObject({ signal: z.string().default('SIGKILL') });
export const removeQuery = z.strictObject({ force: flag });
export const waitQuery = z.strictObject({ until: z.enum(['exited', 'running', 'removed']).default('exited') });
export const waitReply = z.strictObject({ instance: instanceSummary.optional(), status: z.number().int() });

export const logsQuery = z.strictObject({
  follow: flag,
  tail: queryInteger,
  /** Epoch milliseconds. */
  since: queryInteger,
  /** Kernel lines too. */
  kernel: flag,
});
export const logLine = z.strictObject({
  at: millis,
  stream: z.enum(['kernel', 'stdout', 'stderr']),
  text: z.string(),
});
export type LogLineView = z.infer<typeof logLine>;

export const eventsQuery = z.strictObject({ instance: z.string().optional() });
/** One thing that happened. Holds no environment. */
export const eventLine = z.strictObject({
  at: millis,
  type: z.string(),
  id: z.string(),
  name: z.string(),
  detail: z.string().optional(),
});
export type EventLine = z.infer<typeof eventLine>;
