/**
 * A process as the DesiredLRP that Cloud Controller sends (`app_recipe_builder.rb`, `buildpack/desired_lrp_builder.rb`,
 * `main_lrp_action_builder.rb`). Pure.
 */
import { createHash } from 'node:crypto';
import type { Sent } from '../../../backend/wire/codec.js';
import type {
  Action,
  Check,
  CheckDefinition,
  DesiredLRP,
  DesiredLRPUpdate,
  MetricTagValue,
} from '../../../protos/generated.js';
import type { HealthCheck, Process } from '../model.js';
import { runningEnv } from './environment.js';
import { DEFAULT_PORT, MAX_PIDS, NOFILE, type Places, type ProcessFacts } from './facts.js';
import * as parts from './parts.js';
import { portsOf, protoRoutes, routingInfo } from './routes.js';

export const APPS_DOMAIN = 'cf-apps';
const DEFAULT_HEALTH_S = 60;
const MONITOR_MS = 600_000n;

/** `<process guid>-<version>`: another version is another LRP. */
export const processGuid = ({ guid, version }: Pick<Process, 'guid' | 'version'>): string => `${guid}-${version}`;

/** The guid of the process in a Diego process guid; versions and guids are 36 characters long. */
export const processOf = (process_guid: string): string => process_guid.slice(0, 36);

/** Undefined: neither the process nor its droplet says what to run. */
export function startCommand({ process, droplet }: Pick<ProcessFacts, 'process' | 'droplet'>): string | undefined {
  return process.command ?? droplet.process_types[process.type];
}

export function desiredLrp(facts: ProcessFacts, places: Places): Sent<DesiredLRP> {
  const { app, process, droplet, stack } = facts;
  const ports = portsOf(facts.mappings, process.type);
  const process_guid = processGuid(process);
  const stackName = app.lifecycle.type === 'docker' ? null : app.lifecycle.data.stack;
  const timeout_s = process.health_check.timeout ?? DEFAULT_HEALTH_S;
  const monitor = monitorOf(process.health_check, ports);
  const checks = checkDefinition(process, ports);
  return {
    process_guid,
    domain: APPS_DOMAIN,
    instances: process.instances,
    root_fs: parts.rootfsOf(stack, stackName, 'run'),
    environment_variables: parts.LANG,
    start_timeout_ms: BigInt(timeout_s) * 1_000n,
    ...{ memory_mb: process.memory_in_mb, disk_mb: process.disk_in_mb, max_pids: MAX_PIDS },
    cpu_weight: parts.cpuWeight(process.memory_in_mb),
    log_rate_limit: { bytes_per_second: BigInt(process.log_rate_limit_in_bytes_per_second) },
    privileged: false,
    ports,
    ...{ log_source: 'CELL', log_guid: app.guid, metrics_guid: app.guid },
    metric_tags: metricTags(facts),
    annotation: annotationOf(facts),
    egress_rules: parts.egressRules(facts.security_groups),
    cached_dependencies: [parts.lifecycleDependency(stackName ?? '', places.lifecycle)],
    legacy_download_user: parts.USER,
    trusted_system_certificates_path: parts.CERTIFICATES_DIR,
    network: parts.networkOf(facts, 'app', ports),
    setup: parts.serial(
      parts.download('droplet', '.', places.droplet(process.guid, droplet), `droplets-${process_guid}`),
    ),
    action: { codependent_action: { actions: runActions(facts, places, ports) } },
    ...(monitor ? { monitor } : {}),
    ...(checks ? { check_definition: checks } : {}),
    placement_tags: facts.isolation_segment === null ? [] : [facts.isolation_segment],
    routes: routesOf(facts, ports),
    certificate_properties: parts.certificateOf(facts),
  };
}

/** What may change without another version: how many, by which routes, under which names. */
export function lrpUpdate(facts: ProcessFacts): Sent<DesiredLRPUpdate> {
  const ports = portsOf(facts.mappings, facts.process.type);
  return {
    instances: facts.process.instances,
    annotation: annotationOf(facts),
    metric_tags: metricTags(facts),
    routes: routesOf(facts, ports),
  };
}

const routesOf = ({ mappings, process, isolation_segment }: ProcessFacts, ports: readonly number[]) =>
  protoRoutes(routingInfo(mappings, { type: process.type, ports, isolation_segment }));

/** Seconds of the last change, as Cloud Controller; the fraction also tells changes of names within one second. */
export function annotationOf(facts: ProcessFacts): string {
  const digest = createHash('sha256')
    .update(JSON.stringify(metricTags(facts)))
    .digest();
  const seconds = Math.floor(Date.parse(facts.process.updated_at) / 1_000);
  return `${seconds}.${String(digest.readUIntBE(0, 4) % 1_000_000).padStart(6, '0')}`;
}

function metricTags(facts: ProcessFacts): Record<string, Sent<MetricTagValue>> {
  const { process } = facts;
  return {
    ...parts.appTags(facts),
    process_id: { static: process.guid },
    process_type: { static: process.type },
    process_instance_id: { dynamic: 'INSTANCE_GUID' },
    instance_id: { dynamic: 'INDEX' },
  };
}

function runActions(facts: ProcessFacts, places: Places, ports: readonly number[]): Sent<Action>[] {
  const { process, sidecars } = facts;
  const source = `APP/PROC/${process.type.toUpperCase()}`;
  const [first] = ports;
  const env = parts.envOf({
    ...(first === undefined ? {} : { PORT: String(first), VCAP_APP_PORT: String(first), VCAP_APP_HOST: '0.0.0.0' }),
    ...runningEnv(facts, places.api_url),
  });
  const launch = (command: string, log_source: string): Sent<Action> => ({
    run_action: {
      path: `${parts.LIFECYCLE_DIR}/launcher`,
      args: ['app', command, facts.droplet.execution_metadata],
      user: process.user ?? parts.USER,
      log_source,
      env,
      resource_limits: { nofile: BigInt(NOFILE) },
    },
  });
  return [
    launch(startCommand(facts) ?? '', source),
    ...sidecars
      .filter(({ process_types }) => process_types.includes(process.type))
      .map(({ name, command }) => launch(command, `${source}/SIDECAR/${name.toUpperCase()}`)),
  ];
}

function monitorOf(
  { type, endpoint, invocation_timeout }: HealthCheck,
  ports: readonly number[],
): Sent<Action> | undefined {
  if (type !== 'port' && type !== 'http') return undefined;
  const all = ports.length > 0 ? ports : [DEFAULT_PORT];
  const limit = invocation_timeout === null ? [] : [`-timeout=${invocation_timeout}s`];
  const runs = all.map((port, at): Sent<Action> => ({
    run_action: {
      path: `${parts.LIFECYCLE_DIR}/healthcheck`,
      args: [`-port=${port}`, ...(type === 'http' && at === 0 ? [`-uri=${endpoint ?? '/'}`] : []), ...limit],
      user: parts.USER,
      log_source: 'HEALTH',
      suppress_log_output: true,
      resource_limits: { nofile: BigInt(NOFILE) },
    },
  }));
  return { timeout_action: { action: parts.parallel(...runs), timeout_ms: MONITOR_MS } };
}

function checkDefinition(process: Process, ports: readonly number[]): Sent<CheckDefinition> | undefined {
  const checks = checksOf(process.health_check, ports);
  const readiness_checks = checksOf(process.readiness_health_check, ports);
  if (checks.length === 0 && readiness_checks.length === 0) return undefined;
  return { checks, readiness_checks, log_source: 'HEALTH' };
}

function checksOf(
  { type, endpoint, invocation_timeout, interval }: HealthCheck,
  ports: readonly number[],
): Sent<Check>[] {
  if (type !== 'port' && type !== 'http') return [];
  const timeout_ms = BigInt(invocation_timeout ?? 0) * 1_000n;
  const interval_ms = BigInt(interval ?? 0) * 1_000n;
  return (ports.length > 0 ? ports : [DEFAULT_PORT]).map((port, at) =>
    type === 'http' && at === 0
      ? { http_check: { port, path: endpoint ?? '/', request_timeout_ms: timeout_ms, interval_ms } }
      : { tcp_check: { port, connect_timeout_ms: timeout_ms, interval_ms } },
  );
}
