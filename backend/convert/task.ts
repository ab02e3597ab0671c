import type { TaskDefinition } from '../../protos/generated.js';
import type { RunOrder } from '../cell/model.js';
import { findPrograms } from './action.js';
import type { ConvertContext } from './context.js';
import { ofDependencies, ofLayers } from './downloads.js';
import { egressRules } from './egress.js';
import { containerEnv } from './env.js';
import { mountedFiles } from './launch.js';
import { limitsOf, refuseVolumes, telemetryOf } from './order.js';
import { allPrograms, oneProgram } from './programs.js';
import { parseRootfs } from './rootfs.js';
import { isStaging, stagingOrder } from './staging.js';
import { resolveTags } from './tags.js';

/**
 * What a task runs (rep `conversion_helpers.go NewRunRequestFromTask`): a machine, or staging on this cell. Throws
 * definition_unsupported, saying what a unikernel cannot do.
 */
export function taskOrder(definition: TaskDefinition, guid: string, context: ConvertContext): RunOrder {
  if (isStaging(definition)) return stagingOrder(definition, guid, context);
  const { log_source, result_file } = definition;
  const { stack, droplet } = parseRootfs(definition.root_fs);
  const action = findPrograms(definition.action, log_source);
  refuseVolumes(definition.volume_mounts);
  const layers = ofLayers(definition.image_layers, log_source);
  const tags = resolveTags(definition.metric_tags, { guid, index: 0 });
  const downloads = [
    ...ofDependencies(definition.cached_dependencies, log_source),
    ...layers.filter(({ dependency }) => dependency),
    ...(droplet ? [{ ...droplet, log_source }] : []),
    ...layers.filter(({ dependency }) => !dependency),
    ...action.downloads,
  ];
  const around = { container: containerEnv(definition, undefined, context) };
  const several = context.programs && !downloads.some(({ artifact }) => artifact === 'droplet');
  const { run, ...program } = several ? allPrograms({ action }, around) : oneProgram(action, around);
  return {
    name: guid,
    stack,
    downloads,
    ...program,
    ports: [],
    health: {
      ...{ startup: [], liveness: [], readiness: [], log_source: 'HEALTH' },
      ...{ start_timeout_ms: 0, startup_interval_ms: context.checks.startup_interval_ms },
    },
    egress: egressRules(definition.egress_rules),
    limits: limitsOf(definition, run),
    ...telemetryOf(definition, 0, tags),
    files: mountedFiles([...definition.volume_mounted_files, ...run.volume_mounted_files]),
    organizational_unit: definition.certificate_properties?.organizational_unit ?? [],
    internal_routes: [],
    ...(result_file === '' ? {} : { result_file }),
  };
}
