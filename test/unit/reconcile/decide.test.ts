import { describe, expect, test } from '@jest/globals';
import type { Container, Outcome } from '../../../backend/cell/model.js';
import { decide, type Held, type Mode, type View } from '../../../backend/reconcile/decide.js';
import type { Row } from '../../../backend/reconcile/tell.js';
import { aContainer, anLrp, anOrder, aTask } from '../../support/cell/samples.js';

const net = {
  address: '10.0.0.1',
  ports: [{ container_port: 8080, host_port: 61000 }],
  instance_address: '10.201.0.2',
};
const failed: Outcome = { failed: true, reason: 'APP/PROC/WEB: Exited with status 1', retryable: false };
const fine: Outcome = { failed: false, reason: '', retryable: false };

function look(container: Container | undefined, mode: Mode = 'ordinary', held?: Held) {
  const view: View = { cell_id: 'cell-a', zone: 'z1', guid: 'inst-1', mode, container, held, net };
  return decide(view);
}
/** `claim > run, ActualLRPCannotBeClaimed: delete`. */
function told(...[container, mode, held]: Parameters<typeof look>): string[] {
  return look(container, mode, held).map(({ tell, agreed, refused, answers = {} }) => {
    const others = Object.entries(answers).map(
      ([type, after]) => `${type}: ${typeof after === 'string' ? after : 'then'}`,
    );
    return [`${tell.call} > ${agreed}`, `else ${refused}`, ...others].join(', ');
  });
}
const told1 = (change: Partial<Container>, held: Held) => told(aContainer(change), 'ordinary', held);
const ended = (call: string) => [`${call} > delete, else delete`];
const CLAIM = 'else nothing, ActualLRPCannotBeClaimed: delete, ResourceNotFound: delete';
const START_TASK =
  'else nothing, InvalidStateTransition: delete, ResourceNotFound: delete, RunningOnDifferentCell: delete';

describe('an LRP instance', () => {
  test.each<[Mode, Partial<Container>, string[]]>([
    ['ordinary', { state: 'reserved' }, [`claim > run, ${CLAIM}`]],
    ['ordinary', { state: 'initializing' }, [`claim > nothing, ${CLAIM}`]],
    ['ordinary', { state: 'created' }, [`claim > nothing, ${CLAIM}`]],
    ['ordinary', { state: 'running' }, ['start > nothing, else nothing, ActualLRPCannotBeStarted: stop']],
    ['ordinary', { state: 'running', stopped: true }, []],
    ['ordinary', { state: 'completed', stopped: true, outcome: failed }, ended('remove')],
    ['ordinary', { state: 'completed', outcome: failed }, ended('crash')],
    ['ordinary', { state: 'completed', outcome: fine }, ended('crash')],
    ['evacuating', { state: 'reserved' }, ended('evacuate_claimed')],
    ['evacuating', { state: 'initializing' }, ended('evacuate_claimed')],
    ['evacuating', { state: 'created' }, ended('evacuate_claimed')],
    ['evacuating', { state: 'running' }, ended('evacuate_running')],
    ['evacuating', { state: 'created', stopped: true }, []],
    ['evacuating', { state: 'completed', stopped: true, outcome: fine }, ended('evacuate_stopped')],
    ['evacuating', { state: 'completed', outcome: fine }, ended('evacuate_crashed')],
  ])('%s, %j', (mode, container, expected) => {
    expect(told(aContainer(container), mode)).toEqual(expected);
  });

  test('is started with all that the BBS is to know, index 0 and false included', () => {
    const container = aContainer({ state: 'running', routable: false, order: anOrder() });
    expect(look(container)[0]?.tell).toEqual({
      call: 'start',
      request: {
        actual_lrp_key: { process_guid: 'proc-1', index: 0, domain: 'cf-apps' },
        actual_lrp_instance_key: { instance_guid: 'inst-1', cell_id: 'cell-a' },
        actual_lrp_net_info: { ...net, preferred_address: 'HOST' },
        actual_lrp_internal_routes: [{ hostname: 'a.apps.internal' }],
        metric_tags: { source_id: 'log-1' },
        routable: false,
        availability_zone: 'z1',
      },
    });
  });

  describe('what the row says already is not told again', () => {
    const told = anOrder().metric_tags;
    const row: Row = {
      actual_lrp_key: { process_guid: 'proc-1', index: 0, domain: 'cf-apps' },
      actual_lrp_instance_key: { instance_guid: 'inst-1', cell_id: 'cell-a' },
      actual_lrp_net_info: {
        ...{ ...net, preferred_address: 'HOST', instance_ipv6_address: '' },
        ports: [{ container_port: 8080, host_port: 61000, container_tls_proxy_port: 0, host_tls_proxy_port: 0 }],
      },
      ...{ crash_count: 1, crash_reason: '', placement_error: '', since: 1n, presence: 'ORDINARY' },
      ...{ state: 'RUNNING', actual_lrp_internal_routes: [{ hostname: 'a.apps.internal' }], metric_tags: told },
      ...{ routable: true, availability_zone: 'z1' },
    };
    const container = aContainer({ state: 'running', routable: true, order: anOrder() });
    const other = { instance_guid: 'inst-2', cell_id: 'cell-a' };
    const netOf = (change: object) => ({ actual_lrp_net_info: { ...row.actual_lrp_net_info, ...change } as never });

    test('that is all', () => {
      expect(look(container, 'ordinary', { row })).toEqual([]);
      expect(told).not.toEqual({});
    });

    test.each<[string, Partial<Row>]>([
      ['state', { state: 'CLAIMED' }],
      ['routable', { routable: false }],
      ['zone', { availability_zone: 'z2' }],
      ['instance', { actual_lrp_instance_key: other }],
      ['address', netOf({ address: '10.0.0.9' })],
      ['instance address', netOf({ instance_address: '10.0.0.9' })],
      ['ports', netOf({ ports: [] })],
      ['routes', { actual_lrp_internal_routes: [] }],
      ['tags', { metric_tags: { source_id: 'other' } }],
    ])('but for another %s', (_what, change) => {
      expect(look(container, 'ordinary', { row: { ...row, ...change } })[0]?.tell.call).toBe('start');
    });

    test('nor that it is claimed, but a reserved one is to run', () => {
      const claimed = { row: { ...row, state: 'CLAIMED' } };
      expect(told1({ state: 'created' }, claimed)).toEqual([]);
      expect(told1({ state: 'reserved' }, claimed)[0]).toMatch(/^claim > run/);
      expect(told1({ state: 'created' }, { row })[0]).toMatch(/^claim > nothing/);
    });
  });

  test('is not started before its ports are known', () => {
    const view = { cell_id: 'c', zone: '', guid: 'g', mode: 'ordinary' as const, held: undefined, net: undefined };
    expect(decide({ ...view, container: aContainer({ state: 'running' }) })).toEqual([]);
  });

  test('a crash while evacuating always has a reason: without one the BBS refuses it', () => {
    const container = aContainer({ state: 'completed', outcome: fine });
    expect(look(container, 'evacuating')[0]?.tell.request).toMatchObject({ error_message: 'exited' });
    expect(look(container)[0]?.tell.request).toMatchObject({ error_message: '' });
  });
});

describe('a task', () => {
  const aTaskContainer = (change: Partial<Container>) => aContainer({ reservation: aTask(), ...change });
  const done = ['complete_task > delete, else delete, InvalidStateTransition: then'];

  test.each<[Partial<Container>, string[]]>([
    [{ state: 'reserved' }, [`start_task > run, ${START_TASK}`]],
    [{ state: 'initializing' }, [`start_task > nothing, ${START_TASK}`]],
    [{ state: 'created' }, [`start_task > nothing, ${START_TASK}`]],
    [{ state: 'running' }, [`start_task > nothing, ${START_TASK}`]],
    [{ state: 'running', stopped: true }, []],
    [{ state: 'completed', outcome: fine }, done],
    [{ state: 'completed', outcome: failed }, done],
    [{ state: 'completed', outcome: { ...failed, retryable: true } }, ended('reject_task')],
  ])('%j, evacuating or not', (container, expected) => {
    expect(told(aTaskContainer(container))).toEqual(expected);
    expect(told(aTaskContainer(container), 'evacuating')).toEqual(expected);
  });

  test.each<[string, Outcome, string | undefined, object]>([
    ['its result', { ...fine, result: 'r' }, '/r', { failed: false, failure_reason: '', result: 'r' }],
    ['no result asked', fine, undefined, { failed: false, failure_reason: '', result: '' }],
    [
      'a result that could not be read',
      fine,
      '/r',
      { failed: true, failure_reason: 'failed to fetch result', result: '' },
    ],
    ['a failure keeps its own reason', failed, '/r', { failed: true, failure_reason: failed.reason, result: '' }],
    ['a result of a failure', { ...failed, result: 'r' }, '/r', { failed: true, result: 'r' }],
  ])('completes with %s', (_why, outcome, result_file, expected) => {
    const order = anOrder(result_file === undefined ? {} : { result_file });
    const [step] = look(aTaskContainer({ state: 'completed', outcome, order }));
    expect(step?.tell.request).toMatchObject({ task_guid: 'task-1', cell_id: 'cell-a', ...expected });
    const second = step?.answers?.InvalidStateTransition;
    expect(second).toMatchObject({
      tell: { request: { failed: true, failure_reason: 'invalid state transition' } },
      agreed: 'delete',
    });
  });
});

describe('what the BBS believes in and is not here', () => {
  const lrp = { process_guid: 'proc-1', index: 2, domain: 'd' };
  const none = 'nothing, else nothing';
  test.each<[string, Held | undefined, string[]]>([
    ['nobody looked', undefined, []],
    ['nothing', {}, []],
    ['an LRP', { lrp }, [`remove > ${none}`]],
    ['an evacuating one', { evacuating: lrp }, [`remove_evacuating > ${none}`]],
    ['both', { lrp, evacuating: lrp }, [`remove > ${none}`, `remove_evacuating > ${none}`]],
    ['a task', { task: true }, [`complete_task > ${none}`]],
  ])('%s', (_why, held, expected) => {
    expect(told(undefined, 'ordinary', held)).toEqual(expected);
    expect(told(undefined, 'evacuating', held)).toEqual(expected);
  });

  test('is left alone where a container has come meanwhile', () => {
    expect(told(aContainer({ reservation: anLrp(), state: 'running' }), 'ordinary', { lrp })[0]).toMatch(/^start/);
  });

  test('a lost task says so as reason and as result', () => {
    const lost = 'task container does not exist';
    expect(look(undefined, 'ordinary', { task: true })[0]?.tell.request).toMatchObject({
      ...{ failed: true, failure_reason: lost, result: lost },
    });
  });
});
