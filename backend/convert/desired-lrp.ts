import { UnikError } from '../../core/errors.js';
import type { DesiredLRP } from '../../protos/generated.js';
import type { Download, LrpIdentity, RunOrder } from '../cell/model.js';
import { findPrograms, programName, refuseToRun } from './action.js';
import { healthOf } from './checks.js';
import type { ConvertContext } from './context.js';
import { ofDependencies, ofLayers } from './downloads.js';
import { egressRules } from './egress.js';
import { containerEnv } from './env.js';
import { mountedFiles } from './launch.js';
import { SSH_NOTICE } from './lines.js';
import { limitsOf, refuseVolumes, telemetryOf } from './order.js';
import { publishedPorts } from './ports.js';
import { allPrograms, innerMonitor, oneProgram } from './programs.js';
import { parseRootfs } from './rootfs.js';
import { httpRoutes, internalRoutes } from './routes.js';
import { resolveTags } from './tags.js';

/**
 * What one instance of an LRP runs (rep `conversion_helpers.go NewRunRequestFromDesiredLRP`). `guid` is the instance's.
 * Throws definition_unsupported, saying what a unikernel cannot do.
 */
export function lrpOrder(desired: DesiredLRP, lrp: LrpIdentity, guid: string, context: ConvertContext): RunOrder {
  const { log_source } = desired;
  const instance = { guid, index: lrp.index };
  const { stack, droplet } = parseRootfs(desired.root_fs);
  const [setup, action] = [findPrograms(desired.setup, log_source), findPrograms(desired.action, log_source)];
  refuseVolumes(desired.volume_mounts);
  const layers = ofLayers(desired.image_layers, log_source);
  const tags = resolveTags(desired.metric_tags, instance);
  const downloads = [
    ...ofDependencies(desired.cached_dependencies, log_source),
    ...layers.filter(({ dependency }) => dependency),
    ...(droplet ? [{ ...droplet, log_source }] : []),
    ...layers.filter(({ dependency }) => !dependency),
    ...setup.downloads,
    ...action.downloads,
  ];
  const around = {
    container: containerEnv(desired, instance, context),
    process_type: desired.metric_tags['process_type']?.static,
  };
  const several = context.programs && !downloads.some(isDroplet);
  if (!several) {
    refuseToRun(setup);
    refuseSidecars(desired);
  }
  const sidecars = desired.sidecars.map((sidecar) => findPrograms(sidecar.action, log_source));
  const { run, ...program } = several ? allPrograms({ setup, action, sidecars }, around) : oneProgram(action, around);
  const ports = publishedPorts(desired.ports, action.ssh);
  const monitor = several && !desired.check_definition ? innerMonitor(desired.monitor, log_source) : undefined;
  const health = healthOf({ ...desired, ports }, context.checks, monitor !== undefined);
  const watched = desired.check_definition !== undefined || desired.monitor !== undefined;
  return {
    name: `${lrp.process_guid}/${lrp.index}`,
    stack,
    downloads,
    ...program,
    ports,
    health,
    egress: egressRules(desired.egress_rules),
    limits: limitsOf(desired, run),
    ...telemetryOf(desired, lrp.index, tags),
    files: mountedFiles([...desired.volume_mounted_files, ...run.volume_mounted_files]),
    organizational_unit: desired.certificate_properties?.organizational_unit ?? [],
    internal_routes: internalRoutes(desired.routes),
    http_routes: httpRoutes(desired.routes),
    notices: action.ssh ? [SSH_NOTICE] : [],
    ...(monitor ? { monitor } : {}),
    // Diego lets what is watched end well, as a daemon does, and then its checks decide. A unikernel ends with its
    // program, and that alone is a failure.
    ...(watched && (several ? { lingers: true } : { wrapped: [...(program.wrapped ?? []), 'codependent'] })),
  };
}

const isDroplet = ({ artifact }: Pick<Download, 'artifact'>): boolean => artifact === 'droplet';

function refuseSidecars({ sidecars, log_source }: DesiredLRP): void {
  const [first] = sidecars;
  if (!first) return;
  const run = first.action?.run_action;
  const name = run ? programName({ run, log_source: run.log_source || log_source }) : 'a sidecar';
  throw new UnikError('definition_unsupported', `it cannot run here: ${name} runs beside it; a unikernel runs one`);
}
