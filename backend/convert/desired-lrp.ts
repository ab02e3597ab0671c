import { UnikError } from '../../core/errors.js';
import type { DesiredLRP, ProtoRoutes } from '../../protos/generated.js';
import type { LrpIdentity, RunOrder } from '../cell/model.js';
import { findProgram, programName, setupDownloads } from './action.js';
import { healthOf } from './checks.js';
import type { ConvertContext } from './context.js';
import { ofDependencies, ofLayers } from './downloads.js';
import { egressRules } from './egress.js';
import { containerEnv } from './env.js';
import { launchOf, mountedFiles } from './launch.js';
import { SSH_NOTICE } from './lines.js';
import { limitsOf, refuseVolumes, telemetryOf } from './order.js';
import { publishedPorts } from './ports.js';
import { parseRootfs } from './rootfs.js';
import { httpRoutes } from './routes.js';
import { resolveTags } from './tags.js';

/**
 * What one instance of an LRP runs (rep `conversion_helpers.go NewRunRequestFromDesiredLRP`). `guid` is the instance's.
 * Throws definition_unsupported, saying what a unikernel cannot do.
 */
export function lrpOrder(desired: DesiredLRP, lrp: LrpIdentity, guid: string, context: ConvertContext): RunOrder {
  const { log_source } = desired;
  const instance = { guid, index: lrp.index };
  const { stack, droplet } = parseRootfs(desired.root_fs);
  const program = findProgram(desired.action, log_source);
  const { run, timeout_ms, ssh } = program;
  refuseVolumes(desired.volume_mounts);
  refuseSidecars(desired);
  const ports = publishedPorts(desired.ports, ssh);
  const health = healthOf({ ...desired, ports }, context.checks);
  const watched = desired.check_definition !== undefined || desired.monitor !== undefined;
  const layers = ofLayers(desired.image_layers, log_source);
  const tags = resolveTags(desired.metric_tags, instance);
  return {
    name: `${lrp.process_guid}/${lrp.index}`,
    stack,
    downloads: [
      ...ofDependencies(desired.cached_dependencies, log_source),
      ...layers.filter(({ dependency }) => dependency),
      ...(droplet ? [{ ...droplet, log_source }] : []),
      ...layers.filter(({ dependency }) => !dependency),
      ...setupDownloads(desired.setup, log_source),
      ...program.downloads,
    ],
    launch: launchOf(run, {
      log_source: program.log_source,
      container: containerEnv(desired, instance, context),
      process_type: desired.metric_tags['process_type']?.static,
    }),
    ports,
    health,
    egress: egressRules(desired.egress_rules),
    limits: limitsOf(desired, run),
    ...telemetryOf(desired, lrp.index, tags),
    files: mountedFiles([...desired.volume_mounted_files, ...run.volume_mounted_files]),
    organizational_unit: desired.certificate_properties?.organizational_unit ?? [],
    internal_routes: internalRoutes(desired.routes),
    http_routes: httpRoutes(desired.routes),
    // Diego runs the action beside its monitor: with one, the action's end alone is a failure.
    wrapped: watched ? [...program.wrapped, 'codependent'] : program.wrapped,
    notices: ssh ? [SSH_NOTICE] : [],
    ...(timeout_ms === undefined ? {} : { timeout_ms }),
  };
}

/** Host names of the route key `internal-router`; a value that is no such list has none. */
export function internalRoutes(routes: ProtoRoutes | undefined): string[] {
  const bytes = routes?.routes['internal-router'];
  if (!bytes) return [];
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString());
  } catch {
    // As rep does: the instance runs, without the route.
    return [];
  }
  if (!Array.isArray(value)) return [];
  return value.flatMap((route: unknown) => {
    const known = typeof route === 'object' && route !== null && 'hostname' in route ? route.hostname : undefined;
    return typeof known === 'string' ? [known] : [];
  });
}

function refuseSidecars({ sidecars, log_source }: DesiredLRP): void {
  const [first] = sidecars;
  if (!first) return;
  const run = first.action?.run_action;
  const name = run ? programName(run, run.log_source || log_source) : 'a sidecar';
  throw new UnikError('definition_unsupported', `it cannot run here: ${name} runs beside it; a unikernel runs one`);
}
