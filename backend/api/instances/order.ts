/** Pure: what the user asked for, the image and the daemon's defaults become what the executor is asked to run. */
import { UnikError } from '../../../core/errors.js';
import type { Image } from '../../../executor/images/image.js';
import type { CheckSpec, HealthSpec, NetworkMode, PortMapping, ProviderName } from '../../../executor/model.js';
import type { HealthRequest, InstanceOrder } from '../schema/instances.js';
import type { Template } from './record.js';

export interface OrderDefaults {
  provider: ProviderName;
  memory_mb: number;
  disk_mb: number;
  network: NetworkMode;
  dns: string[];
  deny: string[];
  /** Machines of an emulated processor start several times slower. */
  emulated: boolean;
}

const LIVENESS_INTERVAL_MS = 30_000;
const CHECK_TIMEOUT_MS = 5_000;
const LIVENESS_FAILURES = 3;
const STARTUP_INTERVAL_MS = 250;
const START_TIMEOUT_MS = 60_000;
const EMULATED_START_TIMEOUT_MS = 120_000;

/** Throws bad_request for a process type or a port that cannot be. */
export function specFrom(order: InstanceOrder, image: Image, name: string, defaults: OrderDefaults): Template {
  const mode = order.network ?? defaults.network;
  const ports = portsOf(order, image);
  if (mode === 'none' && ports.length > 0) {
    throw new UnikError('bad_request', 'ports cannot be published with network "none"');
  }
  const health = healthOf(order.health, checkPort(order, image, ports), mode, defaults.emulated);
  return {
    provider: order.provider ?? defaults.provider,
    image: image.digest,
    process_type: processOf(order, image),
    ...(order.command ? { argv: order.command } : {}),
    ...(order.cwd !== undefined ? { cwd: order.cwd } : {}),
    env: order.env,
    hostname: order.hostname ?? hostnameOf(name),
    limits: {
      memory_mb: order.memory_mb ?? defaults.memory_mb,
      disk_mb: order.disk_mb ?? defaults.disk_mb,
      cpus: order.cpus,
    },
    ports: [...ports, ...portsForCheck(health.startup, mode, ports)],
    network: { mode, dns: order.dns.length > 0 ? order.dns : defaults.dns, egress: { deny: defaults.deny } },
    health,
    grace_ms: order.stop_timeout_ms,
    labels: order.labels,
    ...(order.kernel !== undefined ? { kernel: order.kernel } : {}),
  };
}

function processOf(order: InstanceOrder, image: Image): string {
  const types = Object.keys(image.processes);
  const type = order.process ?? (types.includes('web') || types.length !== 1 ? 'web' : (types[0] ?? 'web'));
  if (!types.includes(type) && (order.process !== undefined || !order.command)) {
    const known = types.length > 0 ? types.join(', ') : 'none';
    throw new UnikError('bad_request', `process: the image has no process type "${type}"; it has: ${known}`);
  }
  return type;
}

function portsOf(order: InstanceOrder, image: Image): PortMapping[] {
  const ports: PortMapping[] = [...order.ports];
  if (order.publish_all) {
    const named = new Set(ports.filter((p) => p.protocol === 'tcp').map((p) => p.guest_port));
    for (const guest_port of image.ports) {
      if (!named.has(guest_port)) ports.push({ host_address: '127.0.0.1', host_port: 0, guest_port, protocol: 'tcp' });
    }
  }
  const seen = new Set<string>();
  for (const { host_address, host_port, protocol } of ports) {
    if (host_port === 0) continue;
    const place = `${host_address}:${host_port}/${protocol}`;
    if (seen.has(place)) throw new UnikError('bad_request', `ports: ${place} is published twice`);
    seen.add(place);
  }
  return ports;
}

/**
 * The port that a health check asks, most certain knowledge first: what the user says, the PORT the app is given, the
 * image's first port unless others are published, the first published one.
 */
function checkPort(order: InstanceOrder, image: Image, ports: readonly PortMapping[]): number | undefined {
  if (order.health.port !== undefined) return order.health.port;
  const told = Number(order.env['PORT']);
  if (Number.isInteger(told) && told >= 1 && told <= 65_535) return told;
  const published = ports.filter((p) => p.protocol === 'tcp').map((p) => p.guest_port);
  const first = image.ports[0];
  if (first !== undefined && (published.length === 0 || published.includes(first))) return first;
  return published[0];
}

/**
 * On some networks a check reaches the guest through a published port only; one that is not gets a free port on
 * loopback, which `ps` shows as any other.
 */
function portsForCheck(check: CheckSpec, mode: NetworkMode, ports: readonly PortMapping[]): PortMapping[] {
  if (!('port' in check)) return [];
  const needed = mode === 'isolated' || (mode === 'user' && check.kind === 'http');
  if (!needed || ports.some((p) => p.protocol === 'tcp' && p.guest_port === check.port)) return [];
  return [{ host_address: '127.0.0.1', host_port: 0, guest_port: check.port, protocol: 'tcp' }];
}

function healthOf(wish: HealthRequest, port: number | undefined, mode: NetworkMode, emulated: boolean): HealthSpec {
  const type =
    wish.type ?? (wish.path !== undefined ? 'http' : port !== undefined && mode !== 'none' ? 'port' : 'process');
  const check = checkOf(type, wish, port, mode);
  return {
    startup: check,
    start_timeout_ms: wish.start_period_ms ?? (emulated ? EMULATED_START_TIMEOUT_MS : START_TIMEOUT_MS),
    startup_interval_ms: STARTUP_INTERVAL_MS,
    ...(check.kind === 'process'
      ? {}
      : {
          liveness: {
            check,
            interval_ms: wish.interval_ms ?? LIVENESS_INTERVAL_MS,
            failures: wish.retries ?? LIVENESS_FAILURES,
          },
        }),
  };
}

function checkOf(
  type: 'port' | 'http' | 'process',
  wish: HealthRequest,
  port: number | undefined,
  mode: NetworkMode,
): CheckSpec {
  if (type === 'process') return { kind: 'process' };
  if (mode === 'none') throw new UnikError('bad_request', `health: a ${type} check needs a network`);
  if (port === undefined) throw new UnikError('bad_request', `health: a ${type} check needs a port`);
  const timeout_ms = wish.timeout_ms ?? CHECK_TIMEOUT_MS;
  return type === 'port'
    ? { kind: 'port', port, timeout_ms }
    : { kind: 'http', port, path: wish.path ?? '/', timeout_ms };
}

/** A host name is stricter than an instance's name. */
function hostnameOf(name: string): string {
  return name.replace(/[^a-zA-Z0-9-]/g, '-').replace(/-+$/, '') || 'unik';
}
