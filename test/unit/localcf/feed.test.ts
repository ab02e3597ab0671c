import { describe, expect, test } from '@jest/globals';
import { systemClock } from '../../../core/clock.js';
import { noLog } from '../../../core/log.js';
import { registrations, startFeed } from '../../../localcf/feed.js';
import type { Registration } from '../../../localcf/router/index.js';
import type { ActualLRP, DesiredLRP } from '../../../protos/generated.js';
import type { Bbs } from '../../../backend/wire/bbs.js';

const desired = (guid: string, routes: object[]): DesiredLRP =>
  ({
    ...{ process_guid: guid, log_guid: `app-${guid}` },
    routes: { routes: { 'cf-router': Buffer.from(JSON.stringify(routes)) } },
  }) as unknown as DesiredLRP;
const actual = (guid: string, index: number, more: object = {}): ActualLRP =>
  ({
    actual_lrp_key: { process_guid: guid, index },
    actual_lrp_instance_key: { instance_guid: `i-${guid}-${index}` },
    ...{ state: 'RUNNING', presence: 'ORDINARY', routable: true },
    actual_lrp_net_info: { address: '127.0.0.1', ports: [{ container_port: 8080, host_port: 60_000 + index }] },
    ...more,
  }) as unknown as ActualLRP;
const ROUTE = { hostnames: ['a.apps.localhost'], port: 8080 };
const told = (lrps: DesiredLRP[], instances: ActualLRP[]): unknown[] =>
  [...registrations(lrps, instances).values()].map(({ uris, port }) => [uris, port]);

describe('registrations', () => {
  test('each route leads to each instance that takes requests', () => {
    const routes = [ROUTE, { hostnames: ['b.apps.localhost', 'c.apps.localhost/x'], port: 8080 }];
    expect(told([desired('p', routes)], [actual('p', 0), actual('p', 1)])).toEqual([
      [['a.apps.localhost'], 60_000],
      [['b.apps.localhost', 'c.apps.localhost/x'], 60_000],
      [['a.apps.localhost'], 60_001],
      [['b.apps.localhost', 'c.apps.localhost/x'], 60_001],
    ]);
  });
  test.each([
    ['claimed', { state: 'CLAIMED' }],
    ['crashed', { state: 'CRASHED' }],
    ['not routable', { routable: false }],
    ['suspect', { presence: 'SUSPECT' }],
    ['without the port', { actual_lrp_net_info: { address: '127.0.0.1', ports: [] } }],
  ])('none to one that is %s', (_what, more) =>
    expect(told([desired('p', [ROUTE])], [actual('p', 0, more)])).toEqual([]),
  );
  test('none where nothing is desired, and none of routes that cannot be read', () => {
    expect(told([], [actual('p', 0)])).toEqual([]);
    expect(told([desired('p', [{ hostnames: 'a' }])], [actual('p', 0)])).toEqual([]);
  });
});

test('the feed follows changes; what stands is said after what goes', async () => {
  let instances = [actual('p', 0)];
  const bbs = {
    call: async (name: string) =>
      name === 'actual_lrps' ? { actual_lrps: instances } : { desired_lrps: [desired('p', [ROUTE])] },
  } as unknown as Bbs;
  const done: string[] = [];
  const router = {
    register: ({ port }: Registration) => void done.push(`+${port ?? 0}`),
    unregister: ({ port }: Registration) => void done.push(`-${port ?? 0}`),
  };
  let changed: () => void = () => undefined;
  const feed = startFeed({
    ...{ router, bbs, clock: systemClock, log: noLog, period_ms: 3_600_000 },
    follow: async (tell) => void (changed = tell),
  });
  const until = async (count: number): Promise<void> => {
    while (done.length < count) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  await until(1);
  instances = [actual('p', 1)];
  changed();
  await until(3);
  await feed.close();
  expect(done).toEqual(['+60000', '-60000', '+60001']);
});
