/** One function per call of the BBS: a request's work on the state, and its answer. */
import type { BbsCall } from '../../backend/wire/bbs-routes.js';
import type { Messages } from '../../protos/generated.js';
import type { Draft } from './draft.js';
import {
  NOT_FOUND,
  Refusal,
  type DesiredLrp,
  type InstanceKey,
  type Lrp,
  type LrpKey,
  type RunningInstance,
  type Task,
} from './model.js';
import type { AnswerOf, RequestOf } from './requests.js';
import * as actual from './rules/actual-lrp.js';
import { desire, removeDesired, update } from './rules/desired-lrp.js';
import { freshDomains, upsertDomain } from './rules/domain.js';
import { desiredR2, taskR2 } from './rules/downgrade.js';
import * as evacuation from './rules/evacuation.js';
import { groupOf } from './rules/events.js';
import { routingInfo, schedulingInfo, withMetricsGuid } from './rules/views.js';
import * as tasks from './rules/task.js';

/** A returned Refusal is told though the work stands; a thrown one takes it back. Nothing: an empty answer. */
type Handler<C extends BbsCall> = (draft: Draft, request: RequestOf<C>) => AnswerOf<C> | Refusal | undefined;

type LrpFilter = Messages['models.ActualLRPsRequest'];
type Running = Messages['models.StartActualLRPRequest'] | Messages['models.EvacuateRunningActualLRPRequest'];

export const HANDLERS: { [C in BbsCall]: Handler<C> } = {
  ping: () => ({ available: true }),
  domains: (draft) => ({ domains: freshDomains(draft) }),
  upsert_domain: (draft, { domain, ttl }) => {
    upsertDomain(draft, domain, ttl);
  },
  cells: ({ around }) => ({ cells: [...around.cells.values()] }),

  actual_lrps: (draft, filter) => ({ actual_lrps: lrpsBy(draft, filter) }),
  actual_lrps_by_process_guids: ({ state }, { process_guids }) => ({
    actual_lrps: process_guids.flatMap((guid) => state.lrpsOf(guid)),
  }),
  actual_lrp_groups: (draft, filter) => ({ actual_lrp_groups: groups(lrpsBy(draft, { ...filter, process_guid: '' })) }),
  actual_lrp_groups_by_process_guid: ({ state }, { process_guid }) => ({
    actual_lrp_groups: groups(state.lrpsOf(process_guid)),
  }),
  actual_lrp_group: ({ state }, { process_guid, index }) => {
    const rows = state.lrpsAt(process_guid, index);
    if (rows.length === 0) throw NOT_FOUND();
    return { actual_lrp_group: groupOf(rows) };
  },

  claim: (draft, request) => {
    actual.claim(draft, request, instanceOf(request));
  },
  start: (draft, request) => {
    actual.start(draft, keyOf(request), instanceOf(request), runningOf(request));
  },
  start_r0: (draft, request) => {
    const bare = { ...runningOf(request), internal_routes: [], metric_tags: {} };
    actual.start(draft, keyOf(request), instanceOf(request), bare);
  },
  crash: (draft, request) => actual.crash(draft, keyOf(request), instanceOf(request), request.error_message),
  fail: (draft, request) => {
    actual.fail(draft, keyOf(request), request.error_message);
  },
  remove: (draft, request) => {
    actual.remove(draft, request, request.actual_lrp_instance_key);
  },
  retire: (draft, request) => {
    actual.retire(draft, keyOf(request), { reported: true });
  },

  evacuate_claimed: (draft, request) => {
    evacuation.evacuateClaimed(draft, keyOf(request), instanceOf(request));
  },
  evacuate_running: (draft, request) => ({
    keep_container: evacuation.evacuateRunning(draft, keyOf(request), instanceOf(request), runningOf(request)),
  }),
  evacuate_running_r0: (draft, request) => ({
    keep_container: evacuation.evacuateRunning(draft, keyOf(request), instanceOf(request), {
      ...runningOf(request),
      ...{ internal_routes: [], metric_tags: {} },
    }),
  }),
  evacuate_stopped: (draft, request) => {
    evacuation.evacuateStopped(draft, keyOf(request), instanceOf(request));
  },
  evacuate_crashed: (draft, request) => {
    evacuation.evacuateCrashed(draft, keyOf(request), instanceOf(request), request.error_message);
  },
  remove_evacuating: (draft, request) => {
    evacuation.removeEvacuating(draft, keyOf(request), instanceOf(request));
  },

  desired_lrps: (draft, filter) => ({ desired_lrps: desiredBy(draft, filter).map(withMetricsGuid) }),
  desired_lrps_r2: (draft, filter) => ({
    desired_lrps: desiredBy(draft, filter).map((lrp) => withMetricsGuid(desiredR2(lrp))),
  }),
  desired_lrp: (draft, request) => ({ desired_lrp: withMetricsGuid(desiredOf(draft, request)) }),
  desired_lrp_r2: (draft, request) => ({ desired_lrp: withMetricsGuid(desiredR2(desiredOf(draft, request))) }),
  scheduling_infos: (draft, filter) => ({
    desired_lrp_scheduling_infos: desiredBy(draft, filter).map(schedulingInfo),
  }),
  scheduling_info: (draft, request) => ({
    desired_lrp_scheduling_info: schedulingInfo(desiredOf(draft, request)),
  }),
  routing_infos: (draft, filter) => ({ desired_lrps: desiredBy(draft, filter).map(routingInfo) }),
  desire_lrp: (draft, { desired_lrp }) => {
    if (desired_lrp) desire(draft, desired_lrp);
  },
  update_lrp: (draft, request) => {
    update(draft, request.process_guid, request.update);
  },
  remove_lrp: (draft, { process_guid }) => {
    removeDesired(draft, process_guid);
  },

  tasks: (draft, filter) => ({ tasks: tasksBy(draft, filter) }),
  tasks_r2: (draft, filter) => ({ tasks: tasksBy(draft, filter).map(taskR2) }),
  task: (draft, request) => ({ task: taskOf(draft, request) }),
  task_r2: (draft, request) => ({ task: taskR2(taskOf(draft, request)) }),
  desire_task: (draft, { task_definition, task_guid, domain }) => {
    if (task_definition) tasks.desireTask(draft, task_definition, task_guid, domain);
  },
  start_task: (draft, { task_guid, cell_id }) => ({ should_start: tasks.startTask(draft, task_guid, cell_id) }),
  cancel_task: (draft, { task_guid }) => {
    tasks.cancelTask(draft, task_guid);
  },
  fail_task: (draft, { task_guid, failure_reason }) => {
    tasks.failTask(draft, task_guid, failure_reason);
  },
  reject_task: (draft, { task_guid, rejection_reason }) => {
    tasks.rejectTask(draft, task_guid, rejection_reason);
  },
  complete_task: (draft, { task_guid, cell_id, failed, failure_reason, result }) => {
    tasks.completeTask(draft, task_guid, cell_id, { failed, failure_reason, result });
  },
  resolving_task: (draft, { task_guid }) => {
    tasks.resolvingTask(draft, task_guid);
  },
  delete_task: (draft, { task_guid }) => {
    tasks.deleteTask(draft, task_guid);
  },
};

const keyOf = ({ actual_lrp_key }: { actual_lrp_key?: LrpKey }): LrpKey =>
  actual_lrp_key ?? { process_guid: '', index: 0, domain: '' };

const instanceOf = ({ actual_lrp_instance_key }: { actual_lrp_instance_key?: InstanceKey }): InstanceKey =>
  actual_lrp_instance_key ?? actual.noInstance();

const runningOf = (request: Running): RunningInstance => ({
  net_info: request.actual_lrp_net_info ?? actual.noNetInfo(),
  internal_routes: request.actual_lrp_internal_routes,
  metric_tags: request.metric_tags,
  routable: request.routable ?? true,
  availability_zone: request.availability_zone,
});

function lrpsBy({ state }: Draft, { domain, cell_id, process_guid, index }: LrpFilter): Lrp[] {
  const rows = process_guid ? state.lrpsOf(process_guid) : [...state.lrps()];
  return rows.filter(
    ({ actual_lrp_key: key, actual_lrp_instance_key: instance }) =>
      (domain === '' || key.domain === domain) &&
      (cell_id === '' || instance.cell_id === cell_id) &&
      (index === undefined || key.index === index),
  );
}

function groups(rows: Lrp[]): Messages['models.ActualLRPGroup'][] {
  const byKey = new Map<string, Lrp[]>();
  for (const row of rows) {
    const key = `${row.actual_lrp_key.process_guid}/${row.actual_lrp_key.index}`;
    byKey.set(key, [...(byKey.get(key) ?? []), row]);
  }
  return [...byKey.values()].map(groupOf);
}

function desiredBy({ state }: Draft, { domain, process_guids }: Messages['models.DesiredLRPsRequest']): DesiredLrp[] {
  const rows =
    process_guids.length > 0
      ? process_guids.flatMap((guid) => state.desired.get(guid) ?? [])
      : [...state.desired.values()];
  return rows.filter((row) => domain === '' || row.domain === domain);
}

function desiredOf({ state }: Draft, { process_guid }: { process_guid: string }): DesiredLrp {
  const row = state.desired.get(process_guid);
  if (!row) throw NOT_FOUND();
  return row;
}

function tasksBy({ state }: Draft, { domain, cell_id }: Messages['models.TasksRequest']): Task[] {
  return [...state.tasks.values()].filter(
    (task) => (domain === '' || task.domain === domain) && (cell_id === '' || task.cell_id === cell_id),
  );
}

function taskOf({ state }: Draft, { task_guid }: { task_guid: string }): Task {
  const row = state.tasks.get(task_guid);
  if (!row) throw NOT_FOUND();
  return row;
}
