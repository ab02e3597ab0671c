import { describe, expect, test } from '@jest/globals';
import { CfError } from '../../../../localcf/cc/errors.js';
import { diffManifest } from '../../../../localcf/cc/manifest/diff.js';
import { parseManifest, readManifest } from '../../../../localcf/cc/manifest/parse.js';
import { isRouteText, splitRoute } from '../../../../localcf/cc/manifest/route-text.js';
import { appManifest } from '../../../../localcf/cc/manifest/show.js';
import { bytesOf, megabytesOf, rateText } from '../../../../localcf/cc/manifest/sizes.js';
import { anApp, aProcess, mapping } from '../../../support/cc/rows.js';

function refusal(work: () => unknown): { status: number; details: string[] } {
  try {
    work();
  } catch (err) {
    if (err instanceof CfError) return { status: err.status, details: err.errors.map(({ detail }) => detail) };
    throw err;
  }
  throw new Error('nothing was refused');
}

describe('sizes', () => {
  test.each([
    ['256M', 268_435_456],
    ['1 gb', 1_073_741_824],
    ['512KB', 524_288],
    ['7', undefined],
    ['M', undefined],
    ['1X', undefined],
  ])('%s is %s bytes', (text, bytes) => expect(bytesOf(text)).toBe(bytes));
  test('megabytes are whole', () => expect(megabytesOf('1536K')).toBe(1));
  test.each([
    [1_048_576, '1M'],
    [-1, '-1'],
    [100, '100B'],
    [3 * 2 ** 30, '3G'],
    [0, '0B'],
  ])('%s is told as %s', (bytes, text) => expect(rateText(bytes)).toBe(text));
});

describe('reading', () => {
  test('what the CLI sends, with hyphens', () => {
    const [app] = parseManifest(
      'applications:\n- name: hello\n  disk-quota: 512M\n  instances: 2\n  path: /abs\n  memory: 256M\n  default-route: true\n  stack: unik\n  buildpacks:\n  - nodejs_buildpack\n',
    );
    expect(app).toEqual({
      ...{
        name: 'hello',
        stack: 'unik',
        buildpacks: ['nodejs_buildpack'],
        no_route: false,
        random_route: false,
        default_route: true,
      },
      processes: [{ type: 'web', instances: 2, memory_in_mb: 256, disk_in_mb: 512 }],
    });
  });

  test('what people write, with underscores and everything', () => {
    const [app] = parseManifest(`
applications:
- name: shop
  disk_quota: 1G
  command: ./run
  timeout: 90
  health-check-type: http
  health-check-http-endpoint: /up
  log-rate-limit-per-second: 1K
  env: {A: 1, B: true, C: {x: y}, D: null}
  routes:
  - route: shop.example.com/v1
    protocol: http2
  services:
  - db
  - {name: cache, binding_name: fast}
  sidecars:
  - {name: p, process_types: [web], command: ./p, memory: 10M}
  processes:
  - {type: web, memory: 64M}
  - {type: worker, instances: 3, health-check-type: process}
  metadata: {labels: {team: a}}
  features: {ssh: false}
`);
    expect(app).toEqual({
      name: 'shop',
      processes: [
        {
          ...{
            type: 'web',
            command: './run',
            memory_in_mb: 64,
            disk_in_mb: 1024,
            log_rate_limit_in_bytes_per_second: 1024,
          },
          health_check: { type: 'http', endpoint: '/up', timeout: 90 },
        },
        { type: 'worker', instances: 3, health_check: { type: 'process' } },
      ],
      env: { A: '1', B: 'true', C: '{"x":"y"}', D: '' },
      routes: [{ route: 'shop.example.com/v1', protocol: 'http2' }],
      services: [{ name: 'db' }, { name: 'cache', binding_name: 'fast' }],
      sidecars: [{ name: 'p', process_types: ['web'], command: './p', memory_in_mb: 10 }],
      metadata: { labels: { team: 'a' } },
      features: { ssh: false },
      ...{ no_route: false, random_route: false, default_route: false },
    });
  });

  test.each<[why: string, yaml: string, detail: RegExp]>([
    ['a size without a unit', '- {name: a, memory: 12}', /^For application 'a': Memory must use a supported unit/],
    [
      'a reserved variable',
      '- {name: a, env: {VCAP_X: 1}}',
      /^For application 'a': Env environment variables cannot start with VCAP_/,
    ],
    ['no name', '- {memory: 1M}', /^For application at index 0: Name can't be blank/],
    ['docker with buildpacks', '- {name: a, docker: {image: i}, buildpacks: [b]}', /Docker and buildpacks cannot both/],
    [
      'two processes of one type',
      '- {name: a, processes: [{type: x}, {type: x}]}',
      /Process "x" may only be present once/,
    ],
    ['no-route with routes', '- {name: a, no-route: true, routes: [{route: a.b}]}', /no-route, random-route, routes/],
    ['less than no instances', '- {name: a, instances: -1}', /Instances must be greater than or equal to 0/],
  ])('%s is refused', (_why, yaml, detail) => {
    const { status, details } = refusal(() => parseManifest(`applications:\n${yaml}\n`));
    expect(status).toBe(422);
    expect(details.join('\n')).toMatch(detail);
  });

  test('all faults are told at once', () => {
    const { details } = refusal(() =>
      parseManifest('applications:\n- {name: a, memory: x}\n- {name: b, disk_quota: y}\n'),
    );
    expect(details).toHaveLength(2);
  });

  test.each([
    ['another type of body', {}, 400],
    ['broken YAML', 'a: [', 400],
    ['no applications', 'a: 1', 422],
    [
      'a bomb of aliases',
      `a: &a [x,x,x]\n${['b', 'c', 'd', 'e', 'f', 'g'].map((name, at) => `${name}: &${name} [${Array.from({ length: 9 }, () => `*${'abcdef'[at] ?? 'a'}`).join(',')}]`).join('\n')}\napplications: *g`,
      400,
    ],
  ])('%s is refused', (_why, body, status) => {
    expect(refusal(() => readManifest(body)).status).toBe(status);
  });
});

describe('routes by name', () => {
  const domains = [{ name: 'apps.example.com' }, { name: 'example.com' }, { name: 'tcp.example.com' }];
  test.each([
    ['shop.apps.example.com', { host: 'shop', domain: 'apps.example.com', path: '', port: null }],
    ['apps.example.com/v1', { host: '', domain: 'apps.example.com', path: '/v1', port: null }],
    ['apps.example.com', { host: '', domain: 'apps.example.com', path: '', port: null }],
    ['https://other.example.com/', { host: 'other', domain: 'example.com', path: '', port: null }],
    ['tcp.example.com:2000', { host: '', domain: 'tcp.example.com', path: '', port: 2000 }],
    ['a.b.example.com', undefined],
    ['nothing.test', undefined],
  ])('%s', (text, expected) => {
    const found = splitRoute(text, domains);
    expect(found && { ...found, domain: found.domain.name }).toEqual(expected);
  });
  test.each([
    ['a.b', true],
    ['*.a.b/x', true],
    ['a', false],
    ['a.b/x?y', false],
    ['a b.c', false],
  ])('%s is one: %s', (text, expected) => expect(isRouteText(text)).toBe(expected));
});

describe('a diff', () => {
  const present = appManifest({
    app: anApp({ environment: { A: '1' } }),
    ...{ processes: [aProcess({ instances: 2 })], mappings: [mapping('shop.apps.test')], bound: [], sidecars: [] },
  });
  const diff = (yaml: string) =>
    diffManifest(readManifest(`applications:\n- name: shop\n${yaml}`), (name) =>
      name === 'shop' ? present : undefined,
    );

  test('is empty when nothing changes', () => {
    expect(
      diff('  memory: 128MB\n  instances: 2\n  stack: unik\n  env: {A: 1}\n  routes: [{route: shop.apps.test}]\n'),
    ).toEqual([]);
  });
  test('says what is added and replaced, and where', () => {
    expect(
      diff(
        '  memory: 1G\n  env: {A: 2, B: x}\n  command: ./go\n  routes: [{route: shop.apps.test}, {route: two.apps.test}]\n',
      ),
    ).toEqual([
      { op: 'replace', path: '/applications/0/memory', was: '128M', value: '1024M' },
      { op: 'replace', path: '/applications/0/env/A', was: '1', value: 2 },
      { op: 'add', path: '/applications/0/env/B', value: 'x' },
      { op: 'add', path: '/applications/0/command', value: './go' },
      { op: 'add', path: '/applications/0/routes/1', value: { route: 'two.apps.test' } },
    ]);
  });
  test('processes are told apart by type', () => {
    expect(diff('  processes: [{type: web, instances: 4}, {type: worker, instances: 1}]\n')).toEqual([
      { op: 'replace', path: '/applications/0/processes/0/instances', was: 2, value: 4 },
      { op: 'add', path: '/applications/0/processes/1', value: { type: 'worker', instances: 1 } },
    ]);
  });
  test('of a new app, all but its sizes', () => {
    const all = diffManifest(
      readManifest('applications: [{name: new, memory: 1G, instances: 1, stack: unik}]'),
      () => undefined,
    );
    expect(all.map(({ path }) => path)).toEqual([
      '/applications/0/name',
      '/applications/0/instances',
      '/applications/0/stack',
    ]);
  });
});

test('an app is shown as the manifest that makes it', () => {
  const yaml = appManifest({
    app: anApp({ metadata: { labels: { team: 'a' }, annotations: {} } }),
    ...{ processes: [aProcess({ command: './run' })], mappings: [mapping('shop.apps.test')], bound: [], sidecars: [] },
  });
  expect(yaml).toMatchObject({
    ...{
      name: 'shop',
      stack: 'unik',
      env: { COLOUR: 'green' },
      routes: [{ route: 'shop.apps.test', protocol: 'http1' }],
    },
    metadata: { labels: { team: 'a' } },
    processes: [
      { type: 'web', command: './run', instances: 1, memory: '128M', disk_quota: '512M', 'health-check-type': 'port' },
    ],
  });
});
