import { describe, expect, test } from '@jest/globals';
import type { Envelope } from '../../../../backend/wire/loggregator.js';
import type { ActualLRP, DesiredLRPSchedulingInfo } from '../../../../protos/generated.js';
import { planLrps } from '../../../../localcf/cc/diego/plan.js';
import { instancesOf, stateOf, statsOf } from '../../../../localcf/cc/diego/stats.js';
import { annotationOf, lrpUpdate } from '../../../../localcf/cc/recipes/desired-lrp.js';
import { aProcess, GUIDS, processFacts } from '../../../support/cc/rows.js';

const NOW = 1_000_000;
const lrp = (index: number, part: Partial<ActualLRP> = {}): ActualLRP => ({
  actual_lrp_key: { process_guid: 'p', index, domain: 'cf-apps' },
  actual_lrp_instance_key: { instance_guid: `i-${index}`, cell_id: 'c' },
  actual_lrp_net_info: {
    ...{ address: '10.0.0.1', instance_address: '10.1.0.1', preferred_address: 'HOST' },
    ports: [{ container_port: 8080, host_port: 61_000, container_tls_proxy_port: 0, host_tls_proxy_port: 0 }],
  } as unknown as NonNullable<ActualLRP['actual_lrp_net_info']>,
  ...{
    crash_count: 0,
    crash_reason: '',
    state: 'RUNNING',
    placement_error: '',
    since: BigInt(NOW - 5_000) * 1_000_000n,
  },
  ...{ presence: 'ORDINARY', actual_lrp_internal_routes: [], metric_tags: {}, routable: true, availability_zone: '' },
  ...part,
});
const gauge = (instance_id: string, values: Record<string, number>): Envelope => ({
  ...{
    timestamp: BigInt(NOW) * 1_000_000n,
    source_id: GUIDS.app,
    instance_id,
    deprecated_tags: {},
    tags: { process_id: GUIDS.app },
  },
  gauge: { metrics: Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { unit: '', value }])) },
});
const read = (lrps: ActualLRP[], gauges: Envelope[] = [], started = true, instances = 2): Record<string, unknown>[] =>
  statsOf({ process: aProcess({ instances }), started, lrps, gauges, isolation_segment: null, now: NOW }) as Record<
    string,
    unknown
  >[];

describe('the state of an instance', () => {
  test.each<[lrp: Parameters<typeof stateOf>[0], started: boolean, expected: string]>([
    [{ state: 'CLAIMED', placement_error: '' }, true, 'STARTING'],
    [{ state: 'UNCLAIMED', placement_error: '' }, true, 'STARTING'],
    [{ state: 'UNCLAIMED', placement_error: 'insufficient resources: memory' }, true, 'DOWN'],
    [{ state: 'RUNNING', placement_error: '' }, true, 'RUNNING'],
    [{ state: 'CRASHED', placement_error: '' }, true, 'CRASHED'],
    [{ state: 'RUNNING', placement_error: '' }, false, 'STOPPING'],
  ])('%o, to run: %s, is %s', (now, started, expected) => expect(stateOf(now, started)).toBe(expected));
});

describe('stats', () => {
  test('one entry for each that is desired; what is missing is down', () => {
    const stats = read([lrp(0), lrp(7)]);
    expect(stats).toHaveLength(2);
    expect(stats[0]).toMatchObject({
      ...{
        type: 'web',
        index: 0,
        state: 'RUNNING',
        routable: true,
        uptime: 5,
        host: '10.0.0.1',
        instance_guid: 'i-0',
        usage: {},
      },
      ...{ mem_quota: 128 * 2 ** 20, fds_quota: 16_384, log_rate_limit: 1_048_576, details: null },
      instance_ports: [
        { external: 61_000, internal: 8080, external_tls_proxy_port: null, internal_tls_proxy_port: null },
      ],
    });
    expect(stats[1]).toEqual({
      type: 'web',
      index: 1,
      state: 'DOWN',
      routable: null,
      uptime: 0,
      isolation_segment: null,
      details: null,
    });
  });
  test('of a process of none: nothing', () => expect(read([lrp(0)], [], true, 0)).toEqual([]));
  test('usage is of the instance and of the process, newest first', () => {
    const other = { ...gauge('0', { cpu: 99, memory: 9, disk: 9 }), tags: { process_id: 'other' } } as Envelope;
    const [first] = read(
      [lrp(0)],
      [
        other,
        gauge('0', { log_rate: 5.4 }),
        gauge('0', { cpu: 150, memory: 1_000.4, disk: 20, cpu_entitlement: 50 }),
        gauge('0', { cpu: 1, memory: 1, disk: 1 }),
      ],
    );
    expect(first?.['usage']).toEqual({
      ...{ time: new Date(NOW).toISOString(), cpu: 1.5, cpu_entitlement: 0.5, mem: 1_000, disk: 20, log_rate: 5 },
    });
  });
  test('why it cannot be placed, and why it crashed', () => {
    const stats = read([
      lrp(0, { state: 'UNCLAIMED', placement_error: 'found no compatible cell' }),
      lrp(1, { state: 'CRASHED', crash_reason: 'APP/PROC/WEB: Exited with status 3' }),
    ]);
    expect(stats.map(({ state, details }) => [state, details])).toEqual([
      ['DOWN', 'found no compatible cell'],
      ['CRASHED', 'APP/PROC/WEB: Exited with status 3'],
    ]);
  });
  test('of two with one index the newer counts', () => {
    const [first] = read([lrp(0, { since: 1n, presence: 'EVACUATING' }), lrp(0, { state: 'CLAIMED' })]);
    expect(first?.['state']).toBe('STARTING');
  });
  test('short form', () => {
    expect(instancesOf(aProcess({ instances: 2 }), true, [lrp(0)], NOW)).toEqual([
      { index: 0, state: 'RUNNING', since: 5 },
      { index: 1, state: 'DOWN', since: 0 },
    ]);
  });
});

describe('what the BBS is told', () => {
  const facts = processFacts();
  const guid = `${GUIDS.app}-${GUIDS.version}`;
  const info = (part: Partial<DesiredLRPSchedulingInfo> = {}): DesiredLRPSchedulingInfo =>
    ({
      desired_lrp_key: { process_guid: guid, domain: 'cf-apps', log_guid: GUIDS.app },
      ...{ annotation: annotationOf(facts), instances: 1, routes: lrpUpdate(facts).routes, placement_tags: [] },
      ...part,
    }) as DesiredLRPSchedulingInfo;
  test('nothing when all is there', () => {
    expect(planLrps([facts], [info()])).toEqual({ remove: [], update: [], desire: [] });
  });
  test('what is missing, what is too much', () => {
    expect(planLrps([facts], []).desire).toEqual([facts]);
    expect(planLrps([], [info()]).remove).toEqual([guid]);
  });
  test.each<[why: string, part: Partial<DesiredLRPSchedulingInfo>]>([
    ['another number', { instances: 2 }],
    [
      'other routes',
      {
        routes: {
          routes: {
            'cf-router': Buffer.from('[]'),
            'tcp-router': Buffer.from('[]'),
            'internal-router': Buffer.from('[]'),
          },
        },
      },
    ],
    ['other names', { annotation: '1.2' }],
  ])('an update for %s', (_why, part) => {
    expect(planLrps([facts], [info(part)]).update).toMatchObject([{ process_guid: guid, update: { instances: 1 } }]);
  });
  test('another route key, of SSH, is left alone', () => {
    const routes = { routes: { ...(info().routes?.routes ?? {}), 'diego-ssh': Buffer.from('{}') } };
    expect(planLrps([facts], [info({ routes })]).update).toEqual([]);
  });
});
