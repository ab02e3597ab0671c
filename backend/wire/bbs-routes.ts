/**
 * Every call of the BBS: its path and the messages it takes and gives. All are POST with a protobuf body; the three
 * event streams answer with server-sent events instead of a message. Facts: code.cloudfoundry.org/bbs `routes.go`.
 */
import type { MessageName } from './codec.js';

export interface BbsRoute {
  path: string;
  /** Absent: the body is empty. */
  request?: MessageName;
  response: MessageName;
}

const lifecycle = 'models.ActualLRPLifecycleResponse';
const desired = 'models.DesiredLRPLifecycleResponse';
const task = 'models.TaskLifecycleResponse';

export const BBS_ROUTES = {
  ping: { path: '/v1/ping', response: 'models.PingResponse' },
  domains: { path: '/v1/domains/list', response: 'models.DomainsResponse' },
  upsert_domain: {
    path: '/v1/domains/upsert',
    request: 'models.UpsertDomainRequest',
    response: 'models.UpsertDomainResponse',
  },
  cells: { path: '/v1/cells/list.r1', response: 'models.CellsResponse' },

  actual_lrps: {
    path: '/v1/actual_lrps/list',
    request: 'models.ActualLRPsRequest',
    response: 'models.ActualLRPsResponse',
  },
  actual_lrps_by_process_guids: {
    path: '/v1/actual_lrps/list_by_process_guids',
    request: 'models.ActualLRPsByProcessGuidsRequest',
    response: 'models.ActualLRPsResponse',
  },
  actual_lrp_groups: {
    path: '/v1/actual_lrp_groups/list',
    request: 'models.ActualLRPGroupsRequest',
    response: 'models.ActualLRPGroupsResponse',
  },
  actual_lrp_groups_by_process_guid: {
    path: '/v1/actual_lrp_groups/list_by_process_guid',
    request: 'models.ActualLRPGroupsByProcessGuidRequest',
    response: 'models.ActualLRPGroupsResponse',
  },
  actual_lrp_group: {
    path: '/v1/actual_lrp_groups/get_by_process_guid_and_index',
    request: 'models.ActualLRPGroupByProcessGuidAndIndexRequest',
    response: 'models.ActualLRPGroupResponse',
  },
  claim: { path: '/v1/actual_lrps/claim', request: 'models.ClaimActualLRPRequest', response: lifecycle },
  start: { path: '/v1/actual_lrps/start.r1', request: 'models.StartActualLRPRequest', response: lifecycle },
  start_r0: { path: '/v1/actual_lrps/start', request: 'models.StartActualLRPRequest', response: lifecycle },
  crash: { path: '/v1/actual_lrps/crash', request: 'models.CrashActualLRPRequest', response: lifecycle },
  fail: { path: '/v1/actual_lrps/fail', request: 'models.FailActualLRPRequest', response: lifecycle },
  remove: { path: '/v1/actual_lrps/remove', request: 'models.RemoveActualLRPRequest', response: lifecycle },
  retire: { path: '/v1/actual_lrps/retire', request: 'models.RetireActualLRPRequest', response: lifecycle },
  evacuate_claimed: {
    path: '/v1/actual_lrps/evacuate_claimed',
    request: 'models.EvacuateClaimedActualLRPRequest',
    response: 'models.EvacuationResponse',
  },
  evacuate_running: {
    path: '/v1/actual_lrps/evacuate_running.r1',
    request: 'models.EvacuateRunningActualLRPRequest',
    response: 'models.EvacuationResponse',
  },
  evacuate_running_r0: {
    path: '/v1/actual_lrps/evacuate_running',
    request: 'models.EvacuateRunningActualLRPRequest',
    response: 'models.EvacuationResponse',
  },
  evacuate_stopped: {
    path: '/v1/actual_lrps/evacuate_stopped',
    request: 'models.EvacuateStoppedActualLRPRequest',
    response: 'models.EvacuationResponse',
  },
  evacuate_crashed: {
    path: '/v1/actual_lrps/evacuate_crashed',
    request: 'models.EvacuateCrashedActualLRPRequest',
    response: 'models.EvacuationResponse',
  },
  remove_evacuating: {
    path: '/v1/actual_lrps/remove_evacuating',
    request: 'models.RemoveEvacuatingActualLRPRequest',
    response: 'models.RemoveEvacuatingActualLRPResponse',
  },

  desired_lrps: {
    path: '/v1/desired_lrps/list.r3',
    request: 'models.DesiredLRPsRequest',
    response: 'models.DesiredLRPsResponse',
  },
  desired_lrps_r2: {
    path: '/v1/desired_lrps/list.r2',
    request: 'models.DesiredLRPsRequest',
    response: 'models.DesiredLRPsResponse',
  },
  desired_lrp: {
    path: '/v1/desired_lrps/get_by_process_guid.r3',
    request: 'models.DesiredLRPByProcessGuidRequest',
    response: 'models.DesiredLRPResponse',
  },
  desired_lrp_r2: {
    path: '/v1/desired_lrps/get_by_process_guid.r2',
    request: 'models.DesiredLRPByProcessGuidRequest',
    response: 'models.DesiredLRPResponse',
  },
  scheduling_infos: {
    path: '/v1/desired_lrp_scheduling_infos/list',
    request: 'models.DesiredLRPsRequest',
    response: 'models.DesiredLRPSchedulingInfosResponse',
  },
  scheduling_info: {
    path: '/v1/desired_lrp_scheduling_infos/get_by_process_guid',
    request: 'models.DesiredLRPByProcessGuidRequest',
    response: 'models.DesiredLRPSchedulingInfoByProcessGuidResponse',
  },
  routing_infos: {
    path: '/v1/desired_lrp_routing_infos/list',
    request: 'models.DesiredLRPsRequest',
    response: 'models.DesiredLRPsResponse',
  },
  desire_lrp: { path: '/v1/desired_lrp/desire.r2', request: 'models.DesireLRPRequest', response: desired },
  update_lrp: { path: '/v1/desired_lrp/update', request: 'models.UpdateDesiredLRPRequest', response: desired },
  remove_lrp: { path: '/v1/desired_lrp/remove', request: 'models.RemoveDesiredLRPRequest', response: desired },

  tasks: { path: '/v1/tasks/list.r3', request: 'models.TasksRequest', response: 'models.TasksResponse' },
  tasks_r2: { path: '/v1/tasks/list.r2', request: 'models.TasksRequest', response: 'models.TasksResponse' },
  task: {
    path: '/v1/tasks/get_by_task_guid.r3',
    request: 'models.TaskByGuidRequest',
    response: 'models.TaskResponse',
  },
  task_r2: {
    path: '/v1/tasks/get_by_task_guid.r2',
    request: 'models.TaskByGuidRequest',
    response: 'models.TaskResponse',
  },
  desire_task: { path: '/v1/tasks/desire.r2', request: 'models.DesireTaskRequest', response: task },
  start_task: {
    path: '/v1/tasks/start',
    request: 'models.StartTaskRequest',
    response: 'models.StartTaskResponse',
  },
  cancel_task: { path: '/v1/tasks/cancel', request: 'models.TaskGuidRequest', response: task },
  fail_task: { path: '/v1/tasks/fail', request: 'models.FailTaskRequest', response: task },
  reject_task: { path: '/v1/tasks/reject', request: 'models.RejectTaskRequest', response: task },
  complete_task: { path: '/v1/tasks/complete', request: 'models.CompleteTaskRequest', response: task },
  resolving_task: { path: '/v1/tasks/resolving', request: 'models.TaskGuidRequest', response: task },
  delete_task: { path: '/v1/tasks/delete', request: 'models.TaskGuidRequest', response: task },
} as const satisfies Record<string, BbsRoute>;

export type BbsCall = keyof typeof BBS_ROUTES;

/** Paths of the event streams; all take `models.EventsByCellId`. */
export const BBS_STREAMS = {
  lrp_instances: ['/v1/events/lrp_instances.r1', '/v1/events/lrp_instances'],
  tasks: ['/v1/events/tasks.r1', '/v1/events/tasks'],
  lrp_groups: ['/v1/events.r1', '/v1/events'],
} as const;
