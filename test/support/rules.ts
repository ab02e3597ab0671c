import { decode } from '../../backend/wire/codec.js';
import { BBS_ROUTES, type BbsCall } from '../../backend/wire/bbs-routes.js';
import { Draft } from '../../localcf/bbs/draft.js';
import { HANDLERS } from '../../localcf/bbs/handlers.js';
import type { BbsEvent, CellPresence, Change, DesiredLrp, Effect, Lrp, Task } from '../../localcf/bbs/model.js';
import { Refusal } from '../../localcf/bbs/model.js';
import type { RequestOf } from '../../localcf/bbs/requests.js';
import { convergeLrps } from '../../localcf/bbs/rules/convergence.js';
import { DIEGO, type Policy } from '../../localcf/bbs/rules/policy.js';
import { convergeTasks } from '../../localcf/bbs/rules/task-convergence.js';
import { REQUEST_FAULTS } from '../../localcf/bbs/rules/validate.js';
import { State } from '../../localcf/bbs/state.js';

/** The rules of the embedded BBS by themselves, with a clock and cells set by hand. */
export class Rules {
  readonly state = new State();
  now_ms = 1_764_000_000_000;
  readonly cells = new Map<string, CellPresence>();
  readonly events: BbsEvent[] = [];
  readonly effects: Effect[] = [];
  /** Of all commands that stood. */
  readonly changes: Change[] = [];
  readonly policy: Policy;
  #uuids = 0;

  constructor(policy: Partial<Policy> = {}) {
    this.policy = { ...DIEGO, ...policy };
    this.cell('cell-a');
  }

  cell(cell_id: string): void {
    this.cells.set(cell_id, {
      ...{
        cell_id,
        rep_address: '',
        zone: 'z1',
        rootfs_providers: [],
        placement_tags: [],
        optional_placement_tags: [],
      },
      ...{ rep_url: `https://${cell_id}.test`, annotations: {} },
    });
  }

  /** What is answered, or `Type: message` of the refusal. */
  call<C extends BbsCall>(name: C, request: RequestOf<C>): unknown {
    return this.#work((draft) => {
      const faults = (REQUEST_FAULTS[name] as ((request: RequestOf<C>) => string[]) | undefined)?.(request) ?? [];
      if (faults.length > 0) throw new Refusal('InvalidRequest', faults.join(', '));
      return HANDLERS[name](draft, request);
    });
  }

  /** The same with a request's bytes. */
  bytes(name: BbsCall, hex: string): unknown {
    const route = BBS_ROUTES[name];
    return this.call(name, ('request' in route ? decode(route.request, Buffer.from(hex, 'hex')) : undefined) as never);
  }

  converge(): void {
    const times = { kick_task_ms: 30_000, expire_pending_task_ms: 1_800_000, expire_completed_task_ms: 120_000 };
    this.#work((draft) => {
      convergeTasks(draft, times);
      convergeLrps(draft);
      return {};
    });
  }

  later(ms: number): void {
    this.now_ms += ms;
  }

  /** Effects since the last look. */
  done(): string[] {
    return this.effects.splice(0).map(effectText);
  }

  told(stream: 'lrp_instances' | 'lrp_groups' | 'tasks' | 'desired' = 'lrp_instances'): string[] {
    const found = this.events.filter((event) => event.stream === stream).map(({ name }) => name);
    this.events.length = 0;
    return found;
  }

  /** `p/0 ORDINARY RUNNING i1` for every row. */
  rows(): string[] {
    return [...this.state.lrps()].map(rowText).toSorted();
  }

  #work(work: (draft: Draft) => unknown): unknown {
    const uuid = (): `${string}-${string}-${string}-${string}-${string}` => `u-0-0-0-${++this.#uuids}`;
    const around = { policy: this.policy, now_ms: (this.now_ms += 0.001), uuid, cells: this.cells, trace: 'trace' };
    const draft = new Draft(this.state, around);
    try {
      const answer = work(draft);
      this.changes.push(...draft.changes);
      this.events.push(...draft.events);
      this.effects.push(...draft.effects);
      return answer instanceof Refusal ? `${answer.type}: ${answer.message}` : (answer ?? {});
    } catch (err) {
      draft.takeBack();
      if (!(err instanceof Refusal)) throw err;
      return `${err.type}: ${err.message}`;
    }
  }
}

const rowText = ({ actual_lrp_key, actual_lrp_instance_key, presence, state }: Lrp): string =>
  `${actual_lrp_key.process_guid}/${actual_lrp_key.index} ${presence} ${state} ${actual_lrp_instance_key.instance_guid}`.trimEnd();

function effectText(effect: Effect): string {
  switch (effect.do) {
    case 'auction_lrps':
      return `auction ${effect.starts.map(({ process_guid, indices }) => `${process_guid}[${indices.join()}]`).join(' ')}`;
    case 'auction_tasks':
      return `auction ${effect.tasks.map(({ TaskGuid }) => TaskGuid).join(' ')}`;
    case 'stop':
      return `stop ${effect.instance.instance_guid} on ${effect.cell.cell_id}`;
    case 'update':
      return `update ${effect.instance.instance_guid} ${JSON.stringify(effect.routes ?? effect.tags)}`;
    case 'cancel_task':
      return `cancel ${effect.task_guid} on ${effect.cell.cell_id}`;
    case 'task_callback':
      return `callback ${effect.task.task_guid}`;
  }
}

/** The smallest desired LRP that is accepted. */
export function aDesired(process_guid: string, members: Partial<DesiredLrp> = {}): DesiredLrp {
  const bare = decode('models.DesiredLRP', Buffer.alloc(0));
  return {
    ...bare,
    ...{ process_guid, domain: 'd', root_fs: 'preloaded:unik', instances: 1, memory_mb: 64, disk_mb: 64 },
    action: { run_action: { ...decode('models.RunAction', Buffer.alloc(0)), path: '/app', user: 'vcap' } },
    metric_tags: { source_id: { static: 's', dynamic: 'DynamicValueInvalid' } },
    ...members,
  };
}

export function aDefinition(
  members: Partial<NonNullable<Task['task_definition']>> = {},
): NonNullable<Task['task_definition']> {
  const { root_fs, action, memory_mb, disk_mb } = aDesired('x');
  return {
    ...decode('models.TaskDefinition', Buffer.alloc(0)),
    ...{ root_fs, memory_mb, disk_mb },
    ...(action && { action }),
    ...members,
  };
}

export const aKey = (process_guid: string, index = 0): { process_guid: string; index: number; domain: string } => ({
  ...{ process_guid, index, domain: 'd' },
});

export const anInstance = (instance_guid: string, cell_id = 'cell-a'): { instance_guid: string; cell_id: string } => ({
  ...{ instance_guid, cell_id },
});

/** A start request; evacuate_running takes the same members. */
export const aStart = (process_guid: string, instance_guid: string, cell_id = 'cell-a', index = 0) => ({
  actual_lrp_key: aKey(process_guid, index),
  actual_lrp_instance_key: anInstance(instance_guid, cell_id),
  actual_lrp_net_info: { ...decode('models.ActualLRPNetInfo', Buffer.alloc(0)), address: '10.0.0.1' },
  ...{ actual_lrp_internal_routes: [], metric_tags: {}, routable: true, availability_zone: 'z1' },
});

export const both = (process_guid: string, instance_guid: string, cell_id = 'cell-a', index = 0) => ({
  actual_lrp_key: aKey(process_guid, index),
  actual_lrp_instance_key: anInstance(instance_guid, cell_id),
});
