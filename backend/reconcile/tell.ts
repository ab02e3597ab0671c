/** What a cell tells the BBS, as data: one function for each thing it says. Pure. */
import type { Container, LrpIdentity, NetInfo, Outcome } from '../cell/model.js';
import type { Messages } from '../../protos/generated.js';
import type { RequestOf } from '../wire/bbs.js';

type Said =
  | 'claim'
  | 'start'
  | 'crash'
  | 'remove'
  | 'evacuate_claimed'
  | 'evacuate_running'
  | 'evacuate_stopped'
  | 'evacuate_crashed'
  | 'remove_evacuating'
  | 'start_task'
  | 'complete_task'
  | 'reject_task';

/** One call of the BBS with its request. */
export type Tell = { [C in Said]: { call: C; request: RequestOf<C> } }[Said];

/** Who speaks. */
export interface Speaker {
  cell_id: string;
  zone: string;
}

/** An instance of an LRP on this cell. */
export interface Subject {
  guid: string;
  lrp: LrpIdentity;
}

export function claim(cell: Speaker, { guid, lrp }: Subject): Tell {
  const { process_guid, index } = lrp;
  return { call: 'claim', request: { process_guid, index, actual_lrp_instance_key: instance(cell, guid) } };
}

export function remove(cell: Speaker, { guid, lrp }: Subject): Tell {
  const { process_guid, index } = lrp;
  return { call: 'remove', request: { process_guid, index, actual_lrp_instance_key: instance(cell, guid) } };
}

/** A clean end is a crash too, with no reason that is worth telling. */
export function crash(cell: Speaker, subject: Subject, reason: string): Tell {
  return { call: 'crash', request: { ...keys(cell, subject), error_message: reason } };
}

export function start(cell: Speaker, subject: Subject, container: Container, net: NetInfo): Tell {
  return { call: 'start', request: running(cell, subject, container, net) };
}

export function evacuateRunning(cell: Speaker, subject: Subject, container: Container, net: NetInfo): Tell {
  return { call: 'evacuate_running', request: running(cell, subject, container, net) };
}

export function evacuateClaimed(cell: Speaker, subject: Subject): Tell {
  return { call: 'evacuate_claimed', request: keys(cell, subject) };
}

export function evacuateStopped(cell: Speaker, subject: Subject): Tell {
  return { call: 'evacuate_stopped', request: keys(cell, subject) };
}

/** Unlike `crash`, this one is refused without a reason (bbs `evacuation.go` Validate). */
export function evacuateCrashed(cell: Speaker, subject: Subject, reason: string): Tell {
  return { call: 'evacuate_crashed', request: { ...keys(cell, subject), error_message: reason || 'exited' } };
}

export function removeEvacuating(cell: Speaker, subject: Subject): Tell {
  return { call: 'remove_evacuating', request: keys(cell, subject) };
}

export function startTask({ cell_id }: Speaker, task_guid: string): Tell {
  return { call: 'start_task', request: { task_guid, cell_id } };
}

export function completeTask(
  { cell_id }: Speaker,
  task_guid: string,
  { failed, reason, result = '' }: Pick<Outcome, 'failed' | 'reason' | 'result'>,
): Tell {
  return { call: 'complete_task', request: { task_guid, cell_id, failed, failure_reason: reason, result } };
}

/** Refused without a reason. */
export function rejectTask(task_guid: string, reason: string): Tell {
  return { call: 'reject_task', request: { task_guid, rejection_reason: reason || 'failed before it ran' } };
}

/** What is told of an instance that runs. */
export function running(cell: Speaker, subject: Subject, { order, routable }: Container, net: NetInfo) {
  return {
    ...keys(cell, subject),
    actual_lrp_net_info: { ...net, preferred_address: 'HOST' as const },
    actual_lrp_internal_routes: (order?.internal_routes ?? []).map((hostname) => ({ hostname })),
    metric_tags: order?.metric_tags ?? {},
    routable,
    availability_zone: cell.zone,
  };
}

function keys(cell: Speaker, { guid, lrp }: Subject) {
  return { actual_lrp_key: lrp, actual_lrp_instance_key: instance(cell, guid) };
}

function instance({ cell_id }: Speaker, instance_guid: string) {
  return { instance_guid, cell_id };
}

export type Row = Messages['models.ActualLRP'];

/** The BBS says of the instance all that `told` says: telling it would change nothing. */
export function isStarted(row: Row, told: Running): boolean {
  return row.state === 'RUNNING' && gist(row) === gist(told);
}

type Running = ReturnType<typeof running>;
type Gist = Pick<Row, Exclude<keyof Running, 'actual_lrp_key' | 'actual_lrp_net_info'>> & {
  actual_lrp_net_info?: Running['actual_lrp_net_info'] | Row['actual_lrp_net_info'];
};

/** Equal for equal things, whatever the order of tags and whatever else the BBS keeps of a port. */
function gist(of: Gist): string {
  const { actual_lrp_net_info: net, actual_lrp_instance_key: key } = of;
  return JSON.stringify([
    [key?.instance_guid, key?.cell_id, of.routable, of.availability_zone],
    [net?.address, net?.instance_address, net?.preferred_address],
    net?.ports.map(({ container_port, host_port }) => [container_port, host_port]),
    of.actual_lrp_internal_routes.map(({ hostname }) => hostname),
    Object.entries(of.metric_tags).sort(([a], [b]) => (a < b ? -1 : 1)),
  ]);
}
