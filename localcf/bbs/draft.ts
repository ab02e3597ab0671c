/**
 * One command's work on the state: rows change at once, so that a rule sees what it did, and are taken back when the
 * command is refused. Events and effects are collected as data.
 */
import type { BbsEvent, CellPresence, Change, DesiredLrp, Effect, Lrp, LrpKey, Task } from './model.js';
import type { Policy } from './rules/policy.js';
import type { State } from './state.js';

/** What a rule may know besides the rows. */
export interface Surroundings {
  policy: Policy;
  /** Milliseconds since the epoch. */
  now_ms: number;
  /** Random, of a modification tag's epoch. */
  uuid: () => string;
  /** Cells with a live presence, by id. */
  cells: ReadonlyMap<string, CellPresence>;
  /** `X-Vcap-Request-Id`. */
  trace: string;
}

export class Draft {
  readonly changes: Change[] = [];
  readonly events: BbsEvent[] = [];
  readonly effects: Effect[] = [];
  readonly policy: Policy;
  readonly #undo: Change[] = [];

  constructor(
    readonly state: State,
    readonly around: Surroundings,
  ) {
    this.policy = around.policy;
  }

  /** Nanoseconds since the epoch, as the BBS stamps its rows. */
  get now(): bigint {
    return BigInt(Math.round(this.around.now_ms * 1_000)) * 1_000n;
  }

  /** Of rows: `since` and the like are compared in milliseconds. */
  ageMs(stamp: bigint): number {
    return Number(this.now - stamp) / 1e6;
  }

  putLrp(row: Lrp): Lrp {
    this.#change({ put: 'lrp', row });
    return row;
  }

  dropLrp({ actual_lrp_key: { process_guid, index }, presence }: Lrp): void {
    this.#change({ drop: 'lrp', process_guid, index, presence });
  }

  ordinary({ process_guid, index }: Pick<LrpKey, 'process_guid' | 'index'>): Lrp | undefined {
    return this.state.lrp(process_guid, index, 'ORDINARY');
  }

  putDesired(row: DesiredLrp): DesiredLrp {
    this.#change({ put: 'desired', row });
    return row;
  }

  dropDesired(process_guid: string): void {
    this.#change({ drop: 'desired', key: process_guid });
  }

  putTask(row: Task): Task {
    this.#change({ put: 'task', row });
    return row;
  }

  dropTask(task_guid: string): void {
    this.#change({ drop: 'task', key: task_guid });
  }

  putDomain(domain: string, expires_at: number): void {
    this.#change({ put: 'domain', domain, expires_at });
  }

  dropDomain(domain: string): void {
    this.#change({ drop: 'domain', key: domain });
  }

  /** As if the command had never been. */
  takeBack(): void {
    for (const change of this.#undo.reverse()) this.state.apply(change);
  }

  #change(change: Change): void {
    this.#undo.push(this.state.apply(change));
    this.changes.push(change);
  }
}
