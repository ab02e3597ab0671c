import { describe, expect, test } from '@jest/globals';
import type { Container, HttpRoute } from '../../../backend/cell/model.js';
import { httpRoutes } from '../../../backend/convert/routes.js';
import { advertsOf } from '../../../backend/routes/adverts.js';
import { readRegistration } from '../../../backend/wire/registration.js';
import { aContainer, anLrp, anOrder, aTask } from '../../support/cell/samples.js';

const net = {
  address: '10.0.0.5',
  instance_address: '10.201.0.2',
  ports: [{ container_port: 8080, host_port: 61001 }],
};
const routes: HttpRoute[] = [{ hostnames: ['a.test', 'a.test/path'], port: 8080 }];
const running = (change: Partial<Container> = {}): Container =>
  aContainer({
    ...{ reservation: anLrp('inst-1', 2), state: 'running', routable: true, net },
    order: anOrder({ http_routes: routes, metric_tags: { source_id: 'log-1', process_type: 'web' } }),
    ...change,
  });
const options = { zone: 'z1', internal: false };
const said = (container: Container, more = options) => advertsOf(container, more).map(({ message }) => message);

test('an instance is told of as Diego’s route-emitter does, one URI in a message', () => {
  const common = {
    ...{ host: '10.0.0.5', port: 61001, app: 'log-1', private_instance_id: 'inst-1', private_instance_index: '2' },
    ...{ server_cert_domain_san: 'inst-1', availability_zone: 'z1' },
    tags: { source_id: 'log-1', process_type: 'web', component: 'route-emitter' },
  };
  expect(said(running())).toEqual([
    { ...common, uris: ['a.test'] },
    { ...common, uris: ['a.test/path'] },
  ]);
  for (const message of said(running())) expect(readRegistration(JSON.parse(JSON.stringify(message)))).toEqual(message);
});

test('what a route says besides is passed on', () => {
  const more = {
    protocol: 'http2',
    isolation_segment: 'seg',
    route_service_url: 'https://s',
    options: { lb_algo: 'x' },
  };
  const order = anOrder({ http_routes: [{ hostnames: ['a.test'], port: 8080, ...more }] });
  expect(said(running({ order }))).toEqual([expect.objectContaining(more)]);
});

describe('nothing is told of', () => {
  test.each<[why: string, change: Partial<Container>]>([
    ['one that boots', { state: 'created' }],
    ['one that is not ready', { routable: false }],
    ['one that was asked to end', { stopped: true }],
    ['one that ended', { state: 'completed' }],
    ['a task', { reservation: aTask() }],
    ['one whose ports are not those of the route', { net: { ...net, ports: [{ container_port: 9, host_port: 1 }] } }],
    ['one without routes', { order: anOrder() }],
  ])('%s', (_why, change) => expect(said(running(change))).toEqual([]));
});

test('names under apps.internal lead to the machine itself, where that is asked for', () => {
  const order = anOrder({ internal_routes: ['a.apps.internal'] });
  const [advert] = advertsOf(running({ order }), { zone: '', internal: true });
  expect(advert?.family).toBe('service-discovery');
  expect(advert?.message).toMatchObject({
    ...{ host: '10.201.0.2', port: 0, uris: ['a.apps.internal', '2.a.apps.internal'] },
  });
});

describe('routes of a DesiredLRP', () => {
  const of = (text: string) => httpRoutes({ routes: { 'cf-router': Buffer.from(text) } });
  test.each<[why: string, text: string, found: HttpRoute[]]>([
    ['none', '[]', []],
    ['no JSON', '{', []],
    ['no list', '{}', []],
    ['a port that is none', '[{"hostnames":["a"],"port":"8080"}]', []],
    ['members that are null', '[{"hostnames":["a"],"port":1,"protocol":null}]', [{ hostnames: ['a'], port: 1 }]],
    [
      'all of it',
      '[{"hostnames":["a"],"port":1,"protocol":"http1","options":{"loadbalancing":"least-connection"}}]',
      [{ hostnames: ['a'], port: 1, protocol: 'http1', options: { loadbalancing: 'least-connection' } }],
    ],
  ])('%s', (_why, text, found) => expect(of(text)).toEqual(found));
  test('no key at all', () => expect(httpRoutes(undefined)).toEqual([]));
});
