import { BbsError, type Bbs } from '../../../../backend/wire/bbs.js';
import type { BbsCall } from '../../../../backend/wire/bbs-routes.js';

/** One call of a sequence. The request is plain data: the same for every control plane. */
export interface Operation {
  call: BbsCall;
  request: object;
}

/** Cells that a sequence names. The last one is never present. */
export const SEQUENCE_CELLS = ['hole-a', 'hole-b', 'ghost'] as const;

/** Numbers from 0 up to 1, always the same ones for a seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** 5 to 15 calls over two processes, three instances and two tasks of the sequence's own. */
export function sequenceOf(seed: number): Operation[] {
  const random = randomOf(seed);
  const whole = (below: number): number => Math.floor(random() * below);
  const pick = <T>(...from: readonly [T, ...T[]]): T => from[whole(from.length)] ?? from[0];
  const domain = domainOf(seed);
  const process_guid = (): string => `p-${seed}-${pick(0, 0, 0, 1)}`;
  const index = (): number => pick(0, 0, 0, 1, 2);
  const key = () => ({
    process_guid: process_guid(),
    index: index(),
    domain: pick(domain, domain, domain, domain, 'x'),
  });
  const instance = () => {
    const which = pick(0, 0, 1, 2);
    return { instance_guid: `i-${seed}-${which}`, cell_id: SEQUENCE_CELLS[which] };
  };
  const keys = () => ({ actual_lrp_key: key(), actual_lrp_instance_key: instance() });
  // Cut in the middle of a letter, a reason is refused by the real one's database: long ones are of single bytes.
  const reason = (): string => pick('it died', 'déjà vu', 'y'.repeat(1_200), '');
  const tags = () => pick({}, { source_id: 's' }, { source_id: 's', app: 'a' });
  const internal_routes = () => pick([], [{ hostname: 'a.internal' }]);
  const routes = () =>
    pick(undefined, { routes: {} }, { routes: { 'cf-router': Buffer.from('[{"port":8080}]'), x: Buffer.from('1') } });
  // A row of one domain that is evacuated with another one in the key ends the real BBS with a panic.
  const started = () => ({
    actual_lrp_key: { ...key(), domain },
    actual_lrp_instance_key: instance(),
    actual_lrp_net_info: {
      address: pick('10.0.0.1', '10.0.0.1', '10.0.0.2', ''),
      ports: [{ container_port: 8_080, host_port: 61_000 + whole(2) }],
      instance_address: '10.255.0.1',
      preferred_address: pick('HOST', 'INSTANCE'),
    },
    actual_lrp_internal_routes: internal_routes(),
    metric_tags: tags(),
    routable: pick(true, true, false, undefined),
    availability_zone: pick('z1', ''),
  });
  const task_guid = (): string => `t-${seed}-${pick(0, 0, 1)}`;
  const cell_id = (): string => pick('hole-a', 'hole-a', 'hole-b', 'ghost');
  const run_action = { path: '/bin/app', user: 'vcap' };
  const resources = () => ({ root_fs: 'preloaded:hole', memory_mb: pick(8, 16, -1, 16), disk_mb: 8 });

  const makers: Record<string, () => Operation> = {
    desire: () => ({
      call: 'desire_lrp',
      request: {
        desired_lrp: {
          ...resources(),
          process_guid: process_guid(),
          domain,
          instances: pick(0, 1, 1, 2, 3),
          action: { run_action },
          log_guid: 'log',
          metrics_guid: 's',
          metric_tags: { source_id: { static: 's' }, index: { dynamic: 'INDEX' } },
          annotation: pick('', 'note'),
          routes: routes(),
          update_strategy: 'ROLLING',
        },
      },
    }),
    update: () => ({
      call: 'update_lrp',
      request: {
        process_guid: process_guid(),
        update: { instances: pick(undefined, 0, 1, 2, 3), annotation: pick(undefined, 'new', ''), routes: routes() },
      },
    }),
    removeDesired: () => ({ call: 'remove_lrp', request: { process_guid: process_guid() } }),
    claim: () => {
      const { process_guid: guid, index: at } = key();
      return { call: 'claim', request: { process_guid: guid, index: at, actual_lrp_instance_key: instance() } };
    },
    start: () => ({ call: pick('start', 'start', 'start', 'start_r0'), request: started() }),
    crash: () => ({ call: 'crash', request: { ...keys(), error_message: reason() } }),
    fail: () => ({ call: 'fail', request: { actual_lrp_key: key(), error_message: reason() } }),
    remove: () => {
      const { process_guid: guid, index: at } = key();
      const actual_lrp_instance_key = pick(instance(), instance(), undefined);
      return { call: 'remove', request: { process_guid: guid, index: at, actual_lrp_instance_key } };
    },
    retire: () => ({ call: 'retire', request: { actual_lrp_key: key() } }),
    evacuateClaimed: () => ({ call: 'evacuate_claimed', request: keys() }),
    evacuateRunning: () => ({ call: 'evacuate_running', request: started() }),
    evacuateStopped: () => ({ call: 'evacuate_stopped', request: keys() }),
    evacuateCrashed: () => ({ call: 'evacuate_crashed', request: { ...keys(), error_message: reason() } }),
    removeEvacuating: () => ({ call: 'remove_evacuating', request: keys() }),
    desireTask: () => ({
      call: 'desire_task',
      request: {
        task_guid: task_guid(),
        domain,
        task_definition: { ...resources(), action: { run_action }, log_guid: 'log', annotation: pick('', 'note') },
      },
    }),
    startTask: () => ({ call: 'start_task', request: { task_guid: task_guid(), cell_id: cell_id() } }),
    completeTask: () => ({
      call: 'complete_task',
      request: {
        task_guid: task_guid(),
        cell_id: cell_id(),
        failed: pick(true, false),
        failure_reason: reason(),
        result: pick('', 'r'),
      },
    }),
    otherTask: () => {
      const guid = { task_guid: task_guid() };
      return pick<() => Operation>(
        () => ({ call: 'cancel_task', request: guid }),
        () => ({ call: 'fail_task', request: { ...guid, failure_reason: reason() } }),
        () => ({ call: 'reject_task', request: { ...guid, rejection_reason: reason() } }),
        () => ({ call: 'resolving_task', request: guid }),
        () => ({ call: 'delete_task', request: guid }),
      )();
    },
    domain: () => ({ call: 'upsert_domain', request: { domain: pick(domain, domain, ''), ttl: pick(0, 120) } }),
    read: () => {
      const { process_guid: guid, index: at } = key();
      return pick<() => Operation>(
        () => ({ call: 'actual_lrp_group', request: { process_guid: guid, index: at } }),
        () => ({ call: 'desired_lrp_r2', request: { process_guid: guid } }),
        () => ({ call: 'scheduling_info', request: { process_guid: guid } }),
        () => ({ call: 'task', request: { task_guid: task_guid() } }),
      )();
    },
  };
  const { desire, update, removeDesired, claim, start, crash, fail, remove, retire, domain: freshen, read } = makers;
  const evacuations = [
    makers['evacuateRunning'],
    makers['evacuateRunning'],
    makers['evacuateClaimed'],
    makers['evacuateStopped'],
    makers['evacuateCrashed'],
    makers['removeEvacuating'],
  ];
  const tasks = [
    makers['desireTask'],
    makers['startTask'],
    makers['startTask'],
    makers['completeTask'],
    makers['otherTask'],
    makers['otherTask'],
  ];
  const lrps = [
    desire,
    update,
    removeDesired,
    claim,
    claim,
    start,
    start,
    start,
    crash,
    crash,
    crash,
    fail,
    remove,
    retire,
  ];
  const others = [freshen, read];
  // A sequence is about instances or about tasks: mixed, it would seldom get far with either.
  const chosen = random() < 0.3 ? [...tasks, ...tasks, ...others] : [...lrps, ...lrps, ...evacuations, ...others];
  const first = chosen.includes(desire) ? desire : makers['desireTask'];
  const count = 5 + whole(11);
  return Array.from({ length: count }, (_, at) => (at === 0 ? first : chosen[whole(chosen.length)])).flatMap(
    (make) => make?.() ?? [],
  );
}

export const domainOf = (seed: number): string => `d-${seed}`;

/** What came of a sequence: each reply, then the lists at the end; without times and what is random by design. */
export async function play(bbs: Bbs, seed: number): Promise<string[]> {
  const domain = domainOf(seed);
  const said: string[] = [];
  const ask = async ({ call, request }: Operation): Promise<void> => {
    try {
      // The generator makes requests as plain data; that they fit their calls is what this test is about.
      const reply = await bbs.call(call, request as never);
      said.push(text({ call, reply }));
    } catch (err) {
      if (!(err instanceof BbsError)) throw new Error(text({ call, request }), { cause: err });
      said.push(text({ call, error: err.type, message: err.message }));
    }
  };
  for (const operation of sequenceOf(seed)) await ask(operation);
  for (const call of ['actual_lrps', 'desired_lrps', 'scheduling_infos', 'tasks'] as const)
    await ask({ call, request: { domain } });
  for (const call of ['actual_lrps', 'actual_lrps'] as const)
    await ask({ call, request: { process_guid: `p-${seed}-0` } });
  return said;
}

const RANDOM = new Set(['since', 'created_at', 'updated_at', 'first_completed_at', 'epoch']);

/** JSON with sorted lists and keys, times shown only as set or not. */
function text(value: unknown): string {
  return JSON.stringify(plain(value));
}

function plain(value: unknown, key = ''): unknown {
  if (RANDOM.has(key)) return value === 0n || value === '' ? 'unset' : 'set';
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString();
  if (Array.isArray(value)) {
    const all = value.map((one) => plain(one));
    return all.every((one) => typeof one === 'object') ? all.sort((a, b) => (text(a) < text(b) ? -1 : 1)) : all;
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(entries.map(([name, one]) => [name, plain(one, name)]));
  }
  return value;
}
