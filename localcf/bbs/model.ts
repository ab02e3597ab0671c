/** What the embedded BBS keeps, and what its rules say should happen besides. All rows are replaced, never altered. */
import type { Messages } from '../../protos/generated.js';
import type { LrpStart, TaskStart } from '../auction/model.js';

export type LrpKey = Messages['models.ActualLRPKey'];
export type InstanceKey = Messages['models.ActualLRPInstanceKey'];
export type NetInfo = Messages['models.ActualLRPNetInfo'];
export type Presence = Messages['models.ActualLRP']['presence'];
export type DesiredLrp = Messages['models.DesiredLRP'];
export type Task = Messages['models.Task'];
export type TaskDefinition = Messages['models.TaskDefinition'];
export type Action = Messages['models.Action'];
export type CellPresence = Messages['models.CellPresence'];
export type MetricTagValue = Messages['models.MetricTagValue'];
export type ErrorType = Messages['models.Error']['type'];

type ActualLrp = Messages['models.ActualLRP'];

/** An actual LRP as a row: what the wire may leave out is always there. */
export interface Lrp extends ActualLrp {
  actual_lrp_key: LrpKey;
  actual_lrp_instance_key: InstanceKey;
  actual_lrp_net_info: NetInfo;
  modification_tag: Messages['models.ModificationTag'];
  state: 'UNCLAIMED' | 'CLAIMED' | 'RUNNING' | 'CRASHED';
  routable: boolean;
}

/** What a start or an evacuation tells of a running instance. */
export interface RunningInstance {
  net_info: NetInfo;
  internal_routes: Messages['models.ActualLRPInternalRoute'][];
  metric_tags: Record<string, string>;
  routable: boolean;
  availability_zone: string;
}

/** The BBS refuses: `type` and `message` are sent as the reply's error. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  constructor(
    readonly type: ErrorType,
    message: string,
  ) {
    super(message);
  }
}

/** bbs models/errors.go. */
export const NOT_FOUND = (): Refusal => new Refusal('ResourceNotFound', 'the requested resource could not be found');
export const EXISTS = (): Refusal => new Refusal('ResourceExists', 'the requested resource already exists');
export const BAD_REQUEST = (): Refusal => new Refusal('InvalidRequest', 'the request received is invalid');

/** One row put or dropped. `lock` rows are Locket's. */
export type Change =
  | { put: 'lrp'; row: Lrp }
  | { put: 'desired'; row: DesiredLrp }
  | { put: 'task'; row: Task }
  | { put: 'domain'; domain: string; expires_at: number }
  | { drop: 'lrp'; process_guid: string; index: number; presence: Presence }
  | { drop: 'desired' | 'task' | 'domain'; key: string };

/** What is to be done outside of the state, after the change is on disk. */
export type Effect =
  | { do: 'auction_lrps'; starts: LrpStart[] }
  | { do: 'auction_tasks'; tasks: TaskStart[] }
  /** `reported`: a failure becomes the reply's error. */
  | { do: 'stop'; cell: CellPresence; key: LrpKey; instance: InstanceKey; reported: boolean }
  | {
      do: 'update';
      cell: CellPresence;
      key: LrpKey;
      instance: InstanceKey;
      routes?: string[];
      tags?: Record<string, string>;
    }
  | { do: 'cancel_task'; cell: CellPresence; task_guid: string }
  | { do: 'task_callback'; task: Task };

/** An event of the streams, named as on the wire. */
export type BbsEvent = {
  [N in EventMessage]: {
    stream: 'lrp_instances' | 'lrp_groups' | 'desired' | 'tasks';
    name: string;
    message: N;
    value: Messages[N];
    /** Cell that a stream filtered by cell shows it to; absent: it is never filtered. */
    cell_id?: string;
  };
}[EventMessage];

type EventMessage =
  | 'models.DesiredLRPCreatedEvent'
  | 'models.DesiredLRPChangedEvent'
  | 'models.DesiredLRPRemovedEvent'
  | 'models.ActualLRPInstanceCreatedEvent'
  | 'models.ActualLRPInstanceChangedEvent'
  | 'models.ActualLRPInstanceRemovedEvent'
  | 'models.ActualLRPCrashedEvent'
  | 'models.ActualLRPCreatedEvent'
  | 'models.ActualLRPChangedEvent'
  | 'models.ActualLRPRemovedEvent'
  | 'models.TaskCreatedEvent'
  | 'models.TaskChangedEvent'
  | 'models.TaskRemovedEvent';
