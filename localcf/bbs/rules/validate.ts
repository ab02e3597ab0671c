/** What is wrong with a request, in the BBS's words (bbs models/*_requests.go). */
import type { Messages } from '../../../protos/generated.js';
import type { BbsCall } from '../../../backend/wire/bbs-routes.js';
import type { RequestOf } from '../requests.js';
import { faults, invalid } from './validate-action.js';
import { desiredFaults, GUID, taskFaults, updateFaults } from './validate-definition.js';

type Key = Messages['models.ActualLRPKey'] | undefined;
type Instance = Messages['models.ActualLRPInstanceKey'] | undefined;

const keyFaults = (key: Key): string[] =>
  key
    ? faults([key.process_guid === '', 'process_guid'], [key.index < 0, 'index'], [key.domain === '', 'domain'])
    : [invalid('actual_lrp_key')];

const instanceFaults = (key: Instance): string[] =>
  key
    ? faults([key.cell_id === '', 'cell_id'], [key.instance_guid === '', 'instance_guid'])
    : [invalid('actual_lrp_instance_key')];

const netFaults = (net: Messages['models.ActualLRPNetInfo'] | undefined): string[] =>
  net ? faults([net.address === '', 'address']) : [invalid('actual_lrp_net_info')];

const both = (request: { actual_lrp_key?: Key; actual_lrp_instance_key?: Instance }): string[] => [
  ...keyFaults(request.actual_lrp_key),
  ...instanceFaults(request.actual_lrp_instance_key),
];

const startFaults = (request: Messages['models.StartActualLRPRequest']): string[] => [
  ...both(request),
  ...netFaults(request.actual_lrp_net_info),
];

const evacuateRunningFaults = (request: Messages['models.EvacuateRunningActualLRPRequest']): string[] => [
  ...both(request),
  ...netFaults(request.actual_lrp_net_info),
];

const processGuid = ({ process_guid }: { process_guid: string }): string[] =>
  faults([process_guid === '', 'process_guid']);
const taskGuid = ({ task_guid }: { task_guid: string }): string[] => faults([task_guid === '', 'task_guid']);
const taskAndCell = ({ task_guid, cell_id }: { task_guid: string; cell_id: string }): string[] =>
  faults([!GUID.test(task_guid), 'task_guid'], [cell_id === '', 'cell_id']);

type Checks = { [C in BbsCall]?: (request: RequestOf<C>) => string[] };

/** Calls that are not here take anything. */
export const REQUEST_FAULTS: Checks = {
  upsert_domain: ({ domain }) => faults([domain === '', 'domain']),
  actual_lrp_groups_by_process_guid: processGuid,
  actual_lrp_group: ({ process_guid, index }) => faults([process_guid === '', 'process_guid'], [index < 0, 'index']),
  claim: ({ process_guid, actual_lrp_instance_key }) => [
    ...faults([process_guid === '', 'process_guid']),
    ...instanceFaults(actual_lrp_instance_key),
  ],
  start: startFaults,
  start_r0: startFaults,
  crash: both,
  fail: ({ actual_lrp_key, error_message }) => [
    ...keyFaults(actual_lrp_key),
    ...faults([error_message === '', 'error_message']),
  ],
  remove: ({ process_guid, index }) => faults([process_guid === '', 'process_guid'], [index < 0, 'index']),
  retire: ({ actual_lrp_key }) => keyFaults(actual_lrp_key),
  evacuate_claimed: both,
  evacuate_running: evacuateRunningFaults,
  evacuate_running_r0: evacuateRunningFaults,
  evacuate_stopped: both,
  evacuate_crashed: (request) => [...both(request), ...faults([request.error_message === '', 'error_message'])],
  remove_evacuating: both,
  desired_lrp: processGuid,
  desired_lrp_r2: processGuid,
  scheduling_info: processGuid,
  desire_lrp: ({ desired_lrp }) => (desired_lrp ? desiredFaults(desired_lrp) : [invalid('desired_lrp')]),
  update_lrp: ({ process_guid, update }) => [
    ...faults([process_guid === '', 'process_guid']),
    ...(update ? updateFaults(update) : []),
  ],
  remove_lrp: processGuid,
  task: taskGuid,
  task_r2: taskGuid,
  desire_task: ({ task_guid, domain, task_definition }) => [
    ...faults([!GUID.test(task_guid), 'task_guid'], [domain === '', 'domain']),
    ...(task_definition ? taskFaults(task_definition) : [invalid('task_definition')]),
  ],
  start_task: taskAndCell,
  cancel_task: taskGuid,
  fail_task: ({ task_guid, failure_reason }) =>
    faults([!GUID.test(task_guid), 'task_guid'], [failure_reason === '', 'failure_reason']),
  reject_task: ({ task_guid, rejection_reason }) =>
    faults([!GUID.test(task_guid), 'task_guid'], [rejection_reason === '', 'failure_reason']),
  complete_task: taskAndCell,
  resolving_task: taskGuid,
  delete_task: taskGuid,
};
