/** Pure: an app and its machine as the API shows them. */
import type { CheckSpec, Exit, Instance } from '../../../executor/model.js';
import type { ExitView, InstanceDetail, InstanceSummary, Status } from '../schema/instances.js';
import type { App } from './record.js';
import { exitStatus } from './restart.js';

/** Stands for every value of an environment that was not asked for by name. */
export const REDACTED = '********';

/** `machine`: the instance of the app's latest key, where the executor has one. `waiting`: its restart is near. */
export function statusOf(app: App, machine: Instance | undefined, waiting: boolean): Status {
  if (app.exit) return waiting ? 'restarting' : 'exited';
  if (app.key === undefined) return 'created';
  if (!machine) return 'starting';
  // Completed but not yet recorded: what follows is decided in a moment.
  if (machine.phase === 'completed' || machine.stop_requested) return 'stopping';
  return machine.phase === 'running' ? 'running' : 'starting';
}

export function viewExit(exit: Exit): ExitView {
  return {
    reason: exit.reason,
    status: exitStatus(exit),
    ...(exit.signal !== undefined ? { signal: exit.signal } : {}),
    ...(exit.error !== undefined ? { error: exit.error } : {}),
    message: exit.message,
    at: exit.at,
  };
}

export function summarize(app: App, machine: Instance | undefined, waiting: boolean): InstanceSummary {
  const { template } = app;
  const status = statusOf(app, machine, waiting);
  const up = status === 'running' || status === 'starting' || status === 'stopping';
  const ports = (up ? machine?.handle?.ports : undefined) ?? template.ports;
  const address = up ? machine?.handle?.address : undefined;
  return {
    id: app.id,
    name: app.name,
    image: { ref: app.image_ref, digest: template.image },
    provider: template.provider,
    status,
    ready: status === 'running' && machine?.ready === true,
    created_at: app.created_at,
    ...(app.started_at !== undefined ? { started_at: app.started_at } : {}),
    ...(up && machine?.running_at !== undefined ? { running_at: machine.running_at } : {}),
    ...(app.exit ? { exit: app.exit } : machine?.exit ? { exit: viewExit(machine.exit) } : {}),
    restarts: app.restarts,
    memory_mb: template.limits.memory_mb,
    ports: ports.map(({ host_address, host_port, guest_port, protocol }) => ({
      host_address,
      host_port,
      guest_port,
      protocol,
    })),
    ...(address !== undefined ? { address } : {}),
    urls: up ? ports.filter((p) => p.protocol === 'tcp' && p.host_port !== 0).map(urlOf) : [],
    labels: template.labels,
  };
}

export function detail(
  app: App,
  machine: Instance | undefined,
  options: { waiting: boolean; showEnv: boolean; owner: string },
): InstanceDetail {
  const { template } = app;
  const { liveness } = template.health;
  const kernel = machine?.kernel;
  return {
    ...summarize(app, machine, options.waiting),
    ...(app.key !== undefined ? { key: app.key } : {}),
    process: template.process_type,
    ...(template.argv ? { command: template.argv } : {}),
    ...(template.cwd !== undefined ? { cwd: template.cwd } : {}),
    env: options.showEnv ? template.env : redact(template.env),
    hostname: template.hostname,
    cpus: template.limits.cpus,
    disk_mb: template.limits.disk_mb,
    network: { mode: template.network.mode, dns: template.network.dns },
    health: {
      startup: viewCheck(template.health.startup),
      start_timeout_ms: template.health.start_timeout_ms,
      ...(liveness ? { liveness: { ...liveness, check: viewCheck(liveness.check) } } : {}),
    },
    restart: app.restart,
    auto_remove: app.auto_remove,
    stop_timeout_ms: template.grace_ms,
    ...(kernel !== undefined ? { kernel } : {}),
    ...(template.kernel !== undefined ? { kernel_wanted: template.kernel } : {}),
    owner: options.owner,
  };
}

export function redact(env: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.keys(env).map((name) => [name, REDACTED]));
}

function viewCheck(check: CheckSpec): InstanceDetail['health']['startup'] {
  return { ...check };
}

function urlOf({ host_address, host_port }: { host_address: string; host_port: number }): string {
  const host = host_address === '0.0.0.0' ? '127.0.0.1' : host_address === '::' ? '::1' : host_address;
  return `http://${host.includes(':') ? `[${host}]` : host}:${host_port}`;
}
