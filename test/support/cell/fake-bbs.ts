/** The part of the BBS that a cell speaks to, in memory and small: rows and the rules by which they change. */
import type { Messages } from '../../../protos/generated.js';
import { UnikError } from '../../../core/errors.js';
import type { BbsCall } from '../../../backend/wire/bbs-routes.js';
import {
  BbsError,
  type Bbs,
  type BbsErrorType,
  type CallOptions,
  type RequestOf,
  type ResponseOf,
} from '../../../backend/wire/bbs.js';

export interface Row {
  process_guid: string;
  index: number;
  domain: string;
  state: 'UNCLAIMED' | 'CLAIMED' | 'RUNNING' | 'CRASHED';
  instance_guid: string;
  cell_id: string;
  crash_count: number;
  crash_reason: string;
  routable: boolean | undefined;
  /** The last start as it was told. */
  told?: object | undefined;
}
export interface TaskRow {
  guid: string;
  state: Messages['models.Task']['state'];
  cell_id: string;
  failed: boolean;
  failure_reason: string;
  result: string;
}

type Instance = Sentish<Messages['models.ActualLRPInstanceKey']>;
type Sentish<T> = { [K in keyof T]?: T[K] | undefined };
interface Keyed {
  actual_lrp_key?: Sentish<Messages['models.ActualLRPKey']> | undefined;
  actual_lrp_instance_key?: Instance | undefined;
}

const NAME = (process_guid: string | undefined, index: number | undefined) => `${process_guid ?? ''}/${index ?? 0}`;

export class FakeBbs implements Bbs {
  readonly rows = new Map<string, Row>();
  readonly evacuating = new Map<string, Row>();
  readonly tasks = new Map<string, TaskRow>();
  readonly desired = new Set<string>();
  readonly calls: { call: BbsCall; request: unknown; trace: string | undefined }[] = [];
  /** Asked before each call; what it throws is what the cell sees. `after`: the call was done, its answer was lost. */
  fault: (call: BbsCall, when: 'before' | 'after') => void = () => undefined;

  async call<C extends BbsCall>(call: C, request: RequestOf<C>, options: CallOptions = {}): Promise<ResponseOf<C>> {
    this.calls.push({ call, request, trace: options.trace });
    // As on a network: nothing is answered within the same turn.
    await Promise.resolve();
    this.fault(call, 'before');
    const answer = this.#answer(call, (request ?? {}) as never);
    this.fault(call, 'after');
    return answer as ResponseOf<C>;
  }

  async close(): Promise<void> {}

  /** What CC and convergence do: wants an instance. */
  desire(process_guid: string, index: number): void {
    this.desired.add(process_guid);
    const name = NAME(process_guid, index);
    if (this.rows.has(name)) return;
    const fresh = { instance_guid: '', cell_id: '', crash_count: 0, crash_reason: '', routable: undefined };
    this.rows.set(name, { process_guid, index, domain: 'cf-apps', state: 'UNCLAIMED', ...fresh });
  }

  desireTask(guid: string): void {
    if (this.tasks.has(guid)) return;
    this.tasks.set(guid, { guid, state: 'Pending', cell_id: '', failed: false, failure_reason: '', result: '' });
  }

  count(call: BbsCall): number {
    return this.calls.filter((one) => one.call === call).length;
  }

  #answer(call: BbsCall, request: never): object {
    switch (call) {
      case 'ping':
        return { available: true };
      case 'actual_lrps':
        return { actual_lrps: this.#list((request as { cell_id: string }).cell_id) };
      case 'tasks':
        return { tasks: this.#tasks((request as { cell_id: string }).cell_id) };
      case 'desired_lrp': {
        const { process_guid } = request as { process_guid: string };
        if (!this.desired.has(process_guid)) refuse('ResourceNotFound');
        return { desired_lrp: { process_guid } };
      }
      case 'task': {
        this.#task(request);
        return { task: { task_definition: {} } };
      }
      case 'claim':
      case 'remove':
        return this.#byIndex(call, request);
      case 'start':
        return this.#start(request);
      case 'crash':
        return this.#crash(request);
      case 'evacuate_claimed':
        return this.#unclaim(request);
      case 'evacuate_running':
        return this.#evacuateRunning(request);
      case 'evacuate_stopped':
        this.#dropEvacuating(request);
        this.rows.delete(this.#mine(request, 'ResourceNotFound').name);
        return { keep_container: false };
      case 'evacuate_crashed':
        this.#dropEvacuating(request);
        if (!(request as { error_message?: string }).error_message) refuse('InvalidRequest');
        return { ...this.#crash(request), keep_container: false };
      case 'remove_evacuating':
        if (!this.#dropEvacuating(request)) refuse('ResourceNotFound');
        return {};
      default:
        return this.#taskCall(call, request);
    }
  }

  #list(cell_id: string): object[] {
    const shown = (presence: string) => (row: Row) => ({
      actual_lrp_key: { process_guid: row.process_guid, index: row.index, domain: row.domain },
      actual_lrp_instance_key: { instance_guid: row.instance_guid, cell_id: row.cell_id },
      ...{ actual_lrp_internal_routes: [], metric_tags: {}, ...row.told },
      state: row.state,
      presence,
    });
    const here = (rows: Map<string, Row>) => [...rows.values()].filter((row) => row.cell_id === cell_id);
    return [...here(this.rows).map(shown('ORDINARY')), ...here(this.evacuating).map(shown('EVACUATING'))];
  }

  #tasks(cell_id: string): object[] {
    return [...this.tasks.values()]
      .filter((task) => task.cell_id === cell_id)
      .map(({ guid, state }) => ({ task_guid: guid, state }));
  }

  #byIndex(call: 'claim' | 'remove', request: never): object {
    const { process_guid, index, actual_lrp_instance_key: key } = request as Keyed & Sentish<Row>;
    const name = NAME(process_guid, index);
    const row = this.rows.get(name) ?? refuse('ResourceNotFound');
    if (call === 'remove') {
      if (!same(row, key)) refuse('ResourceNotFound');
      this.rows.delete(name);
      return {};
    }
    const may = row.state === 'UNCLAIMED' || ((row.state === 'CLAIMED' || row.state === 'RUNNING') && same(row, key));
    if (!may) refuse('ActualLRPCannotBeClaimed');
    this.rows.set(name, { ...row, state: 'CLAIMED', ...held(key) });
    return {};
  }

  #start(request: never): object {
    const { actual_lrp_key: lrp, actual_lrp_instance_key: key, routable } = request as Keyed & { routable: boolean };
    const name = NAME(lrp?.process_guid, lrp?.index);
    const row = this.rows.get(name);
    const may =
      !row || row.state === 'UNCLAIMED' || row.state === 'CRASHED' || same(row, key) || row.state === 'CLAIMED';
    if (!may) refuse('ActualLRPCannotBeStarted');
    this.rows.set(name, {
      ...{ process_guid: lrp?.process_guid ?? '', index: lrp?.index ?? 0, domain: 'cf-apps' },
      ...{ crash_count: 0, crash_reason: '', ...row, state: 'RUNNING', routable, told: request, ...held(key) },
    });
    return {};
  }

  #crash(request: never): object {
    const { name, row } = this.#mine(request, 'ActualLRPCannotBeCrashed');
    if (row.state !== 'CLAIMED' && row.state !== 'RUNNING') refuse('ActualLRPCannotBeCrashed');
    const crash_count = row.crash_count + 1;
    const crash_reason = (request as { error_message: string }).error_message;
    const state = crash_count < 3 ? 'UNCLAIMED' : 'CRASHED';
    this.rows.set(name, { ...row, state, crash_count, crash_reason, instance_guid: '', cell_id: '' });
    return {};
  }

  #unclaim(request: never): object {
    const { name, row } = this.#mine(request, 'ResourceNotFound');
    this.#dropEvacuating(request);
    this.rows.set(name, { ...row, state: 'UNCLAIMED', instance_guid: '', cell_id: '' });
    return { keep_container: false };
  }

  #evacuateRunning(request: never): object {
    const { actual_lrp_key: lrp, actual_lrp_instance_key: key } = request as Keyed;
    const name = NAME(lrp?.process_guid, lrp?.index);
    const row = this.rows.get(name);
    const before = this.evacuating.get(name);
    if (row && same(row, key)) {
      this.evacuating.set(name, row);
      this.rows.set(name, { ...row, state: 'UNCLAIMED', instance_guid: '', cell_id: '' });
      return { keep_container: true };
    }
    const mine = before && same(before, key);
    if (!mine) return { keep_container: false };
    const replaced = !row || row.state === 'RUNNING' || row.state === 'CRASHED';
    if (replaced) this.evacuating.delete(name);
    return { keep_container: !replaced };
  }

  #dropEvacuating(request: never): boolean {
    const { actual_lrp_key: lrp, actual_lrp_instance_key: key } = request as Keyed;
    const name = NAME(lrp?.process_guid, lrp?.index);
    const row = this.evacuating.get(name);
    return row !== undefined && same(row, key) && this.evacuating.delete(name);
  }

  #mine(request: never, otherwise: BbsErrorType): { name: string; row: Row } {
    const { actual_lrp_key: lrp, actual_lrp_instance_key: key } = request as Keyed;
    const name = NAME(lrp?.process_guid, lrp?.index);
    const row = this.rows.get(name) ?? refuse('ResourceNotFound');
    if (!same(row, key)) refuse(otherwise);
    return { name, row };
  }

  #task(request: never): TaskRow {
    return this.tasks.get((request as { task_guid: string }).task_guid) ?? refuse('ResourceNotFound');
  }

  #taskCall(call: BbsCall, request: never): object {
    const task = this.#task(request);
    const { cell_id } = request as { cell_id: string };
    switch (call) {
      case 'start_task':
        if (task.state === 'Running' && task.cell_id === cell_id) return { should_start: false };
        if (task.state !== 'Pending') refuse('InvalidStateTransition');
        Object.assign(task, { state: 'Running', cell_id });
        return { should_start: true };
      case 'complete_task': {
        if (task.state !== 'Running') refuse('InvalidStateTransition');
        if (task.cell_id !== cell_id) refuse('RunningOnDifferentCell');
        const { failed, failure_reason, result } = request as TaskRow;
        Object.assign(task, { state: 'Completed', failed, failure_reason, result, cell_id: '' });
        return {};
      }
      case 'reject_task':
        if (task.state !== 'Running' && task.state !== 'Pending') refuse('InvalidStateTransition');
        Object.assign(task, { state: 'Pending', cell_id: '' });
        return {};
      default:
        throw new Error(`the fake BBS does not know ${call}`);
    }
  }
}

function same(row: Row, key: Instance | undefined): boolean {
  return row.instance_guid === key?.instance_guid && row.cell_id === key.cell_id;
}

function held(key: Instance | undefined): { instance_guid: string; cell_id: string } {
  return { instance_guid: key?.instance_guid ?? '', cell_id: key?.cell_id ?? '' };
}

function refuse(type: BbsErrorType): never {
  throw new BbsError(type, type);
}

export function unreachable(): never {
  throw new UnikError('peer_unreachable', 'BBS: connect ECONNREFUSED');
}
