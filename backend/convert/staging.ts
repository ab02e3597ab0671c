import { posix } from 'node:path';
import { UnikError } from '../../core/errors.js';
import type { Action, TaskDefinition } from '../../protos/generated.js';
import type { Action as PlainAction } from '../../stager/actions/model.js';
import type { RunOrder } from '../cell/model.js';
import type { ConvertContext } from './context.js';
import { LIFECYCLE_DIR, ofDependencies, ofLayers } from './downloads.js';
import { egressRules } from './egress.js';
import { containerEnv } from './env.js';
import { refuseVolumes, telemetryOf } from './order.js';
import { parseRootfs } from './rootfs.js';
import { resolveTags } from './tags.js';

const BUILDER = posix.join(LIFECYCLE_DIR, 'builder');

/** A task that makes something and sends it away: that takes a builder's tools, which no unikernel has. */
export function isStaging({ action }: Pick<TaskDefinition, 'action'>): boolean {
  return partsOf(action).some(({ upload_action, run_action }) => upload_action ?? run_action?.path === BUILDER);
}

/**
 * What a staging task does here: its action as it is, in a scratch folder of its own. Throws definition_unsupported
 * where this cell does not stage, and for what staging here cannot have.
 */
export function stagingOrder(definition: TaskDefinition, guid: string, context: ConvertContext): RunOrder {
  const { log_source, result_file, action, memory_mb, disk_mb, max_pids } = definition;
  if (!context.staging) {
    throw new UnikError('definition_unsupported', 'this cell does not stage: its configuration has no `staging`');
  }
  const { stack, droplet } = parseRootfs(definition.root_fs);
  if (droplet) throw new UnikError('definition_unsupported', 'a staging task cannot have a droplet as its rootfs');
  refuseVolumes(definition.volume_mounts);
  const layers = ofLayers(definition.image_layers, log_source, true);
  return {
    name: guid,
    stack,
    downloads: [...ofDependencies(definition.cached_dependencies, log_source, true), ...layers],
    launch: {
      ...{ command: { kind: 'program', argv: [] }, process_type: 'staging', user: 'vcap', log_source },
      ...{ env: containerEnv(definition, undefined, context), suppress_output: false },
    },
    ports: [],
    health: {
      ...{ startup: [], liveness: [], readiness: [], log_source: 'HEALTH' },
      ...{ start_timeout_ms: 0, startup_interval_ms: context.checks.startup_interval_ms },
    },
    egress: egressRules(definition.egress_rules),
    limits: {
      ...{ memory_mb, disk_mb, cpu_weight: Math.max(1, definition.cpu_weight) },
      ...(max_pids > 0 ? { max_pids } : {}),
    },
    ...telemetryOf(definition, 0, resolveTags(definition.metric_tags, { guid, index: 0 })),
    files: {},
    organizational_unit: definition.certificate_properties?.organizational_unit ?? [],
    internal_routes: [],
    ...(result_file === '' ? {} : { result_file }),
    staging: { action: plain(action ?? {}) },
  };
}

/** Every action of the tree, itself first. */
function partsOf(action: Action | undefined): Action[] {
  if (!action) return [];
  const { timeout_action, emit_progress_action, try_action } = action;
  const { parallel_action, serial_action, codependent_action } = action;
  const one = timeout_action ?? emit_progress_action ?? try_action;
  const several = parallel_action ?? serial_action ?? codependent_action;
  return [action, ...partsOf(one?.action), ...(several?.actions ?? []).flatMap(partsOf)];
}

/** An order is kept as JSON, which has no bigint. */
function plain(action: Action): PlainAction {
  const numbers = (_name: string, value: unknown): unknown => (typeof value === 'bigint' ? Number(value) : value);
  return JSON.parse(JSON.stringify(action, numbers)) as PlainAction;
}
