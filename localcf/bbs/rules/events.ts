/** Which events a change of rows makes, and in which order (bbs events/calculator). */
import { isDeepStrictEqual } from 'node:util';
import type { Messages } from '../../../protos/generated.js';
import type { Draft } from '../draft.js';
import type { BbsEvent, DesiredLrp, InstanceKey, Lrp, Task } from '../model.js';
import { sameInstance } from './policy.js';

type Row = Lrp | undefined;

/**
 * The rows of one index before and after a command. What becomes of an instance is told by `note`: replaced, removed
 * (`after` undefined) or new (`before` undefined).
 */
export class Slot {
  readonly before: Lrp[];
  #after: Row[];

  constructor(
    private readonly draft: Draft,
    process_guid: string,
    index: number,
  ) {
    this.before = draft.state.lrpsAt(process_guid, index);
    this.#after = [...this.before];
  }

  holder(instance: InstanceKey): Row {
    return this.before.find((row) => sameInstance(row.actual_lrp_instance_key, instance));
  }

  note(before: Row, after: Row): void {
    const at = before
      ? this.#after.findIndex((row) => row && sameInstance(row.actual_lrp_instance_key, before.actual_lrp_instance_key))
      : -1;
    if (at >= 0) this.#after[at] = after;
    else this.#after.push(after);
  }

  /** Emits; `crash`: every changed instance crashed, whatever its state is now. */
  close({ crash = false } = {}): void {
    const { trace } = this.draft.around;
    const pairs = this.#after.map((after, at): [Row, Row] => [this.before[at], after]);
    const instances = pairs.flatMap(([before, after]) =>
      crash ? crashEvents(before, after, trace) : instanceEvents(before, after, trace),
    );
    this.draft.events.push(...groupEvents(this.before, this.#after, crash), ...ordered(instances));
  }
}

/** Events of one row's change, for rules that change many. */
export function tell(draft: Draft, before: Row, after: Row): void {
  const { trace } = draft.around;
  draft.events.push(...groupEvents(before ? [before] : [], [after], false));
  draft.events.push(...ordered(instanceEvents(before, after, trace)));
}

export const created = (lrp: Lrp, trace_id: string): BbsEvent => ({
  stream: 'lrp_instances',
  name: 'actual_lrp_instance_created',
  message: 'models.ActualLRPInstanceCreatedEvent',
  value: { actual_lrp: lrp, trace_id },
  cell_id: lrp.actual_lrp_instance_key.cell_id,
});

const removed = (lrp: Lrp, trace_id: string): BbsEvent => ({
  stream: 'lrp_instances',
  name: 'actual_lrp_instance_removed',
  message: 'models.ActualLRPInstanceRemovedEvent',
  value: { actual_lrp: lrp, trace_id },
  cell_id: lrp.actual_lrp_instance_key.cell_id,
});

const changed = (before: Lrp, after: Lrp, trace_id: string): BbsEvent => ({
  stream: 'lrp_instances',
  name: 'actual_lrp_instance_changed',
  message: 'models.ActualLRPInstanceChangedEvent',
  value: {
    actual_lrp_key: after.actual_lrp_key,
    actual_lrp_instance_key: after.actual_lrp_instance_key,
    before: info(before),
    after: info(after),
    trace_id,
  },
  cell_id: after.actual_lrp_instance_key.cell_id,
});

const crashed = (before: Lrp, after: Lrp, stream: 'lrp_instances' | 'lrp_groups'): BbsEvent => ({
  stream,
  name: 'actual_lrp_crashed',
  message: 'models.ActualLRPCrashedEvent',
  value: {
    actual_lrp_key: after.actual_lrp_key,
    actual_lrp_instance_key: before.actual_lrp_instance_key,
    crash_count: after.crash_count,
    crash_reason: after.crash_reason,
    since: after.since,
  },
  cell_id: before.actual_lrp_instance_key.cell_id,
});

function info(lrp: Lrp): Messages['models.ActualLRPInfo'] {
  const { actual_lrp_net_info, crash_count, crash_reason, state, placement_error, since } = lrp;
  const { modification_tag, presence, routable, availability_zone } = lrp;
  return {
    ...{ actual_lrp_net_info, crash_count, crash_reason, state, placement_error, since },
    ...{ modification_tag, presence, routable, availability_zone },
  };
}

function instanceEvents(before: Row, after: Row, trace: string): BbsEvent[] {
  if (isDeepStrictEqual(before, after)) return [];
  if (!after) return before ? [removed(before, trace)] : [];
  if (!before) return [created(after, trace)];
  if (after.state === 'CRASHED') return [crashed(before, after, 'lrp_instances'), changed(before, after, trace)];
  // An instance that loses its key is another one from then on.
  if (after.state === 'UNCLAIMED' && before.state !== 'UNCLAIMED')
    return [created(after, trace), removed(before, trace)];
  return [changed(before, after, trace)];
}

function crashEvents(before: Row, after: Row, trace: string): BbsEvent[] {
  if (!before || !after || isDeepStrictEqual(before, after)) return instanceEvents(before, after, trace);
  const rest =
    after.state === 'CRASHED' ? [changed(before, after, trace)] : [created(after, trace), removed(before, trace)];
  return [crashed(before, after, 'lrp_instances'), ...rest];
}

/** Crashes first, then what brings a running instance, then what takes one away: routes stay covered. */
function ordered(events: BbsEvent[]): BbsEvent[] {
  return events
    .map((event) => ({ event, score: score(event) }))
    .sort((a, b) => b.score - a.score)
    .map(({ event }) => event);
}

function score(event: BbsEvent): number {
  switch (event.message) {
    case 'models.ActualLRPCrashedEvent':
      return 2;
    case 'models.ActualLRPInstanceCreatedEvent':
      return event.value.actual_lrp?.state === 'RUNNING' ? 1 : 0;
    case 'models.ActualLRPInstanceChangedEvent':
      return event.value.after?.state === 'RUNNING' ? 1 : 0;
    default:
      return 0;
  }
}

type Group = Messages['models.ActualLRPGroup'] & { instance?: Lrp; evacuating?: Lrp };

/** The deprecated view of an index: one instance and one evacuating. A suspect that runs goes before its replacement. */
export function groupOf(rows: readonly Row[]): Group {
  const group: Group = {};
  for (const row of rows) {
    if (row?.presence === 'EVACUATING') group.evacuating = row;
    else if (row && outranks(row, group.instance)) group.instance = row;
  }
  return group;
}

function outranks(row: Lrp, other: Row): boolean {
  if (!other) return true;
  const rank = (lrp: Lrp): number =>
    ({ RUNNING: 6, CLAIMED: 4, UNCLAIMED: 2, CRASHED: 0 })[lrp.state] + (lrp.presence === 'ORDINARY' ? 1 : 0);
  return rank(row) > rank(other);
}

function groupEvents(before: readonly Row[], after: readonly Row[], crash: boolean): BbsEvent[] {
  const [then, now] = [groupOf(before), groupOf(after)];
  return [
    ...groupPart('instance', then.instance, now.instance, crash),
    ...groupPart('evacuating', then.evacuating, now.evacuating, crash),
  ];
}

function groupPart(slot: 'instance' | 'evacuating', before: Row, after: Row, crash: boolean): BbsEvent[] {
  if (isDeepStrictEqual(before, after)) return [];
  const stream = 'lrp_groups' as const;
  const group = (lrp: Lrp): Group => ({ [slot]: lrp });
  const gone = (lrp: Lrp): BbsEvent => ({
    ...{ stream, name: 'actual_lrp_removed', message: 'models.ActualLRPRemovedEvent' },
    ...{ value: { actual_lrp_group: group(lrp) }, cell_id: lrp.actual_lrp_instance_key.cell_id },
  });
  const come = (lrp: Lrp): BbsEvent => ({
    ...{ stream, name: 'actual_lrp_created', message: 'models.ActualLRPCreatedEvent' },
    ...{ value: { actual_lrp_group: group(lrp) }, cell_id: lrp.actual_lrp_instance_key.cell_id },
  });
  if (!after) return before ? [gone(before)] : [];
  if (!before) return [come(after)];
  const other: BbsEvent = {
    ...{ stream, name: 'actual_lrp_changed', message: 'models.ActualLRPChangedEvent' },
    value: { before: group(before), after: group(after) },
    cell_id: after.actual_lrp_instance_key.cell_id || before.actual_lrp_instance_key.cell_id,
  };
  if (crash || after.state === 'CRASHED') return [crashed(before, after, stream), other];
  const replaced =
    after.state !== 'UNCLAIMED' &&
    before.actual_lrp_instance_key.instance_guid !== '' &&
    !sameInstance(before.actual_lrp_instance_key, after.actual_lrp_instance_key);
  return replaced ? [come(after), gone(before)] : [other];
}

export function desiredEvents(
  before: DesiredLrp | undefined,
  after: DesiredLrp | undefined,
  trace_id: string,
): BbsEvent[] {
  const stream = 'desired' as const;
  if (before && after)
    return [
      {
        stream,
        name: 'desired_lrp_changed',
        message: 'models.DesiredLRPChangedEvent',
        value: { before, after, trace_id },
      },
    ];
  if (after)
    return [
      {
        stream,
        name: 'desired_lrp_created',
        message: 'models.DesiredLRPCreatedEvent',
        value: { desired_lrp: after, trace_id },
      },
    ];
  if (before)
    return [
      {
        stream,
        name: 'desired_lrp_removed',
        message: 'models.DesiredLRPRemovedEvent',
        value: { desired_lrp: before, trace_id },
      },
    ];
  return [];
}

export function taskEvents(before: Task | undefined, after: Task | undefined): BbsEvent[] {
  const stream = 'tasks' as const;
  if (before && after)
    return [{ stream, name: 'task_changed', message: 'models.TaskChangedEvent', value: { before, after } }];
  if (after) return [{ stream, name: 'task_created', message: 'models.TaskCreatedEvent', value: { task: after } }];
  if (before) return [{ stream, name: 'task_removed', message: 'models.TaskRemovedEvent', value: { task: before } }];
  return [];
}
