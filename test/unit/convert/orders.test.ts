import { describe, expect, test } from '@jest/globals';
import { lrpOrder } from '../../../backend/convert/desired-lrp.js';
import { DEFAULT_CONTEXT } from '../../../backend/convert/context.js';
import { leavesOf, mapLeaves } from '../../../backend/convert/joined.js';
import { taskOrder } from '../../../backend/convert/task.js';
import type { RunOrder } from '../../../backend/cell/model.js';
import { decode, encode, type Sent } from '../../../backend/wire/codec.js';
import type { Action, DesiredLRP, TaskDefinition } from '../../../protos/generated.js';
import { aDesiredLrp, aTaskDefinition } from '../../support/cell/definitions.js';
import { desiredApp } from '../../support/cell/desired.js';

const identity = { process_guid: 'process', index: 3, domain: 'test' };
const order = (change: Sent<DesiredLRP> = {}): RunOrder =>
  lrpOrder(aDesiredLrp(change), identity, 'instance', DEFAULT_CONTEXT);
const task = (change: Sent<TaskDefinition> = {}): RunOrder =>
  taskOrder(aTaskDefinition(change), 'task', DEFAULT_CONTEXT);
const run = (path: string, more: Sent<NonNullable<Action['run_action']>> = {}): Sent<Action> => ({
  run_action: { path, user: 'vcap', ...more },
});
const sshd = run('/tmp/lifecycle/diego-sshd', { log_source: 'CELL/SSHD' });
const several = (...actions: Sent<Action>[]): Sent<Action> => ({ codependent_action: { actions } });

test('an app as Cloud Controller builds it', () => {
  const sent = desiredApp({
    process_guid: 'process',
    droplet: { url: 'https://cc.test/droplet', sha256: 'ab'.repeat(32) },
    env: { VCAP_APPLICATION: '{"name":"app"}', GREETING: 'a=b\n"c"' },
    interval_ms: 5000,
  });
  const desired = decode('models.DesiredLRP', encode('models.DesiredLRP', sent));
  const { launch, logs, metrics, health, ...rest } = lrpOrder(desired, identity, 'instance', DEFAULT_CONTEXT);
  const tags = {
    ...{ source_id: 'app-process', process_id: 'process', process_type: 'web', app_name: 'process' },
    ...{ process_instance_id: 'instance', instance_id: '3' },
  };
  expect(rest).toEqual({
    name: 'process/3',
    stack: 'unik',
    downloads: [
      {
        ...{ artifact: 'droplet', from: 'https://cc.test/droplet', to: '/home/vcap', log_source: 'CELL' },
        ...{ cache_key: 'droplets-process', checksum: { algorithm: 'sha256', value: 'ab'.repeat(32) } },
      },
    ],
    ports: [8080],
    egress: [],
    limits: { memory_mb: 32, disk_mb: 64, cpu_weight: 1, nofile: 16384, max_pids: 1024 },
    metric_tags: tags,
    files: {},
    organizational_unit: [],
    internal_routes: [],
    http_routes: [{ hostnames: ['process.apps.test'], port: 8080 }],
    wrapped: ['codependent', 'codependent'],
    notices: [],
  });
  const { env, ...program } = launch;
  expect(program).toEqual({
    command: { kind: 'start_command', text: './behave serve' },
    ...{ process_type: 'web', user: 'vcap', log_source: 'APP/PROC/WEB', suppress_output: false },
  });
  expect(Object.fromEntries(env)).toEqual({
    ...{ INSTANCE_GUID: 'instance', INSTANCE_INDEX: '3', CF_INSTANCE_GUID: 'instance', CF_INSTANCE_INDEX: '3' },
    ...{ LANG: 'en_US.UTF-8', PORT: '8080', VCAP_APP_PORT: '8080', VCAP_APP_HOST: '0.0.0.0', GREETING: 'a=b\n"c"' },
    ...{ HOME: '/home/vcap/app', TMPDIR: '/home/vcap/tmp', DEPS_DIR: '/home/vcap/deps' },
    VCAP_APPLICATION: '{"name":"app","host":"0.0.0.0","instance_id":"instance","port":8080,"instance_index":3}',
  });
  expect(logs).toEqual({ guid: 'app-process', index: 3, source: 'CELL', tags, bytes_per_second: -1 });
  expect(metrics).toEqual({ guid: 'app-process', index: 3, tags });
  expect(health).toMatchObject({ liveness: [{ interval_ms: 5000 }], start_timeout_ms: 60_000, log_source: 'HEALTH' });
});

describe('the program', () => {
  test.each<[why: string, action: Sent<Action>, expected: Partial<RunOrder>]>([
    ['alone', run('/a'), { wrapped: [] }],
    ['in a codependent', several(run('/a')), { wrapped: ['codependent'] }],
    ['in a timeout', { timeout_action: { action: run('/a'), timeout_ms: 900_000n } }, { timeout_ms: 900_000 }],
    [
      'in a timeout of old times',
      { timeout_action: { action: run('/a'), deprecated_timeout_ns: 2_000_000_000n } },
      { timeout_ms: 2000 },
    ],
    [
      'in two timeouts',
      { timeout_action: { action: { timeout_action: { action: run('/a'), timeout_ms: 5n } }, timeout_ms: 9n } },
      { timeout_ms: 5 },
    ],
    [
      'deep inside',
      { serial_action: { actions: [{ try_action: { action: { emit_progress_action: { action: run('/a') } } } }] } },
      { wrapped: ['try'] },
    ],
    [
      'beside the SSH server',
      several(run('/a'), { parallel_action: { actions: [sshd] } }),
      { wrapped: ['codependent'] },
    ],
  ])('is found %s', (_why, action, expected) => {
    const found = order({ action });
    expect(found.launch.command).toEqual({ kind: 'program', argv: ['/a'] });
    expect(found).toMatchObject(expected);
  });

  test.each<[why: string, change: Sent<DesiredLRP>, message: string]>([
    ['nothing', { action: several() }, 'runs no program'],
    ['only the SSH server', { action: several(sshd) }, 'runs no program'],
    ['two programs', { action: several(run('/a'), run('/b')) }, 'beside /a it also runs /b; a unikernel runs one'],
    [
      'steps',
      { action: { serial_action: { actions: [run('/a'), run('/b'), run('/c')] } } },
      'beside /a it also runs /b, /c',
    ],
    [
      "Cloud Controller's sidecar",
      { action: several(run('/a'), run('/tmp/lifecycle/launcher', { log_source: 'APP/PROC/WEB/SIDECAR/PROXY' })) },
      'the sidecar PROXY',
    ],
    ["Diego's sidecar", { sidecars: [{ action: run('/side') }] }, '/side runs beside it'],
    ['a setup that runs', { setup: run('/prepare') }, 'setup runs /prepare'],
    ['an upload', { action: { upload_action: { artifact: 'core', from: '/c', to: 'http://x/' } } }, 'uploads core'],
    ['a volume', { volume_mounts: [{ driver: 'nfs', container_dir: '/data' }] }, 'failed to mount volume'],
    ['a docker image', { root_fs: 'docker:///busybox#secret' }, 'a docker image cannot run here'],
    ['another rootfs', { root_fs: 'http://me:secret@x/fs' }, '(http) is not preloaded:STACK'],
    ['a climbing file', { volume_mounted_files: [{ path: '../../shadow', content: '' }] }, 'outside'],
    ['an unknown checksum', { setup: { download_action: { checksum_algorithm: 'crc', checksum_value: '1' } } }, 'crc'],
    ['an unknown protocol', { egress_rules: [{ protocol: 'sctp', destinations: ['1.1.1.1'] }] }, '"sctp"'],
  ])('is refused with %s', (_why, change, message) => {
    expect(() => order(change)).toThrow(
      expect.objectContaining({ code: 'definition_unsupported', message: expect.stringContaining(message) }),
    );
    expect(() => order(change)).not.toThrow('secret');
  });

  test.each([
    ['APP/PROC/WEB', 'web'],
    ['APP/PROC/WORKER', 'worker'],
    ['APP/REV/12/PROC/CLOCK', 'clock'],
    ['APP/TASK/migrate', 'web'],
  ])('of source %s is of type %s', (log_source, type) => {
    expect(order({ action: run('/a', { log_source }) }).launch).toMatchObject({ process_type: type, log_source });
  });

  test('takes its source from what is around it', () => {
    const action: Sent<Action> = { timeout_action: { action: run('/a'), timeout_ms: 1n, log_source: 'OUTER' } };
    expect(order({ action }).launch.log_source).toBe('OUTER');
    expect(order({ action: run('/a') }).launch.log_source).toBe('CELL');
  });
});

describe('several programs, where the image is composed at start', () => {
  const composed = (change: Sent<DesiredLRP>): RunOrder =>
    lrpOrder(aDesiredLrp(change), identity, 'instance', { ...DEFAULT_CONTEXT, programs: true });
  const named = (found: RunOrder['programs']): unknown =>
    found && mapLeaves(found, ({ command }) => ('argv' in command ? command.argv[0] : ''));

  test.each<[why: string, change: Sent<DesiredLRP>, programs: unknown]>([
    ['one alone', { action: run('/a') }, undefined],
    ['one in a try', { action: { try_action: { action: run('/a') } } }, { try: { run: '/a' } }],
    ['side by side', { action: several(run('/a'), run('/b')) }, { codependent: [{ run: '/a' }, { run: '/b' }] }],
    [
      'in a row, or at once',
      { action: { parallel_action: { actions: [run('/a'), { serial_action: { actions: [run('/b'), run('/c')] } }] } } },
      { parallel: [{ run: '/a' }, { serial: [{ run: '/b' }, { run: '/c' }] }] },
    ],
    [
      'after a setup, beside sidecars',
      { setup: run('/s'), action: run('/a'), sidecars: [{ action: run('/x') }, { action: run('/y') }] },
      { serial: [{ run: '/s' }, { joined: [{ run: '/a' }, { run: '/x' }, { run: '/y' }] }] },
    ],
  ])('%s', (_why, change, programs) => {
    expect(named(composed(change).programs)).toEqual(programs);
  });

  test('each has what is its own, and all have what is common', () => {
    const { launch, programs, timeout_ms } = composed({
      environment_variables: [{ name: 'ALL', value: '1' }],
      action: {
        timeout_action: {
          ...{ timeout_ms: 5n, log_source: 'OUTER' },
          action: several(run('/a', { env: [{ name: 'A', value: '2' }] }), run('/b', { user: 'root', dir: '/b' })),
        },
      },
    });
    expect(Object.fromEntries(launch.env)).toMatchObject({ ALL: '1', INSTANCE_INDEX: '3' });
    expect(Object.fromEntries(launch.env)).not.toHaveProperty('A');
    expect(leavesOf(programs ?? { parallel: [] })).toMatchObject([
      { env: [['A', '2']], user: 'vcap', log_source: 'OUTER' },
      { env: [], user: 'root', cwd: '/b', log_source: 'OUTER' },
    ]);
    expect(timeout_ms).toBe(5);
  });

  test('one of them cannot have a time limit of its own', () => {
    const action = several(run('/a'), { timeout_action: { action: run('/b'), timeout_ms: 5n } });
    expect(() => composed({ action })).toThrow('one of its programs has a time limit of its own');
  });

  test('what has a droplet runs one program all the same', () => {
    const setup: Sent<Action> = { download_action: { artifact: 'droplet', from: 'http://x/d', to: '.' } };
    expect(() => composed({ setup, action: several(run('/a'), run('/b')) })).toThrow('a unikernel runs one');
    expect(() => composed({ setup, action: run('/a'), sidecars: [{ action: run('/x') }] })).toThrow('beside it');
  });

  test.each<[path: string, inside: boolean]>([
    ['cat', true],
    ['nc', false],
    ['true', false],
    ['/tmp/lifecycle/healthcheck', false],
  ])('a monitor that runs %s: in the machine: %s', (path, inside) => {
    const { monitor, health, lingers } = composed({ action: run('/a'), monitor: run(path), ports: [8080] });
    expect(named(monitor)).toEqual(inside ? { run: path } : undefined);
    expect(health.startup.some(({ kind }) => kind === 'guest')).toBe(inside);
    expect(health.liveness).toEqual(health.startup.map((check) => ({ check, interval_ms: inside ? 1000 : 30_000 })));
    expect(lingers).toBe(true);
  });

  test('a task in several steps', () => {
    const definition = aTaskDefinition({ action: { serial_action: { actions: [run('/a'), run('/b')] } } });
    const { programs } = taskOrder(definition, 'task', { ...DEFAULT_CONTEXT, programs: true });
    expect(named(programs)).toEqual({ serial: [{ run: '/a' }, { run: '/b' }] });
  });
});

test('a monitor makes the end of the program a failure', () => {
  expect(order({ monitor: run('nc', { args: ['-z', '0.0.0.0', '8080'] }) }).wrapped).toEqual(['codependent']);
});

describe('ports', () => {
  test('the one for SSH is left out, and that is said', () => {
    const { ports, notices } = order({ ports: [8080, 9090, 2222, 8080], action: several(run('/a'), sshd) });
    expect(ports).toEqual([8080, 9090]);
    expect(notices).toEqual([expect.stringContaining('SSH is not available')]);
  });

  test("an application's own 2222 is published", () => {
    expect(order({ ports: [2222] })).toMatchObject({ ports: [2222], notices: [] });
  });
});

describe('downloads', () => {
  test('come in order, without the lifecycle', () => {
    const { downloads } = order({
      cached_dependencies: [
        { name: 'lifecycle', from: 'http://x/l', to: '/tmp/lifecycle' },
        { name: 'lib', from: 'http://x/lib', to: '/opt/lib', cache_key: 'lib', log_source: 'LIB' },
      ],
      image_layers: [
        {
          name: 'buildpack-unik-lifecycle',
          url: 'http://x/l',
          destination_path: '/tmp/lifecycle',
          layer_type: 'SHARED',
        },
        {
          name: 'droplet',
          url: 'http://x/d',
          destination_path: '/home/vcap',
          layer_type: 'EXCLUSIVE',
          digest_algorithm: 'SHA256',
          digest_value: 'ab',
        },
        { name: 'shared', url: 'http://x/s', destination_path: '/s', layer_type: 'SHARED' },
      ],
      setup: {
        parallel_action: {
          actions: [{ download_action: { from: 'http://x/g', to: '.', user: 'vcap', cache_key: '' } }],
        },
      },
      action: {
        serial_action: {
          actions: [{ download_action: { from: 'http://x/late', to: 'sub', user: 'root' } }, run('/a')],
        },
      },
    });
    expect(downloads).toEqual([
      { artifact: 'lib', from: 'http://x/lib', to: '/opt/lib', cache_key: 'lib', log_source: 'LIB', dependency: true },
      {
        artifact: 'shared',
        from: 'http://x/s',
        to: '/s',
        cache_key: 'http://x/s',
        log_source: 'CELL',
        dependency: true,
      },
      {
        ...{ artifact: 'droplet', from: 'http://x/d', to: '/home/vcap', cache_key: 'sha256:ab', log_source: 'CELL' },
        checksum: { algorithm: 'sha256', value: 'ab' },
      },
      { artifact: '', from: 'http://x/g', to: '/home/vcap', cache_key: '', log_source: 'CELL' },
      { artifact: '', from: 'http://x/late', to: '/root/sub', cache_key: '', log_source: 'CELL' },
    ]);
  });

  test('a droplet may be part of the rootfs', () => {
    const url = 'https://cc.test:9023/d?a=1&b=2';
    const query = `layer=${encodeURIComponent(url)}&layer_path=%2Fhome%2Fvcap&layer_digest=ab`;
    const { stack, downloads } = order({ root_fs: `preloaded+layer:unik-aws?${query}` });
    expect(stack).toBe('unik-aws');
    expect(downloads).toEqual([
      {
        ...{ artifact: 'droplet', from: url, to: '/home/vcap', cache_key: 'sha256:ab', log_source: 'CELL' },
        checksum: { algorithm: 'sha256', value: 'ab' },
      },
    ]);
  });
});

test('egress rules', () => {
  const { egress } = order({
    egress_rules: [
      { protocol: 'tcp', destinations: ['10.0.0.0/8', '1.1.1.1-1.1.1.9'], ports: [80, 443] },
      { protocol: 'udp', destinations: ['10.0.0.1,10.0.0.2'], port_range: { start: 1, end: 1024 }, log: true },
      { protocol: 'icmp', destinations: ['0.0.0.0/0'], icmp_info: { type: 8, code: -1 } },
      { protocol: 'icmpv6', destinations: ['::/0'] },
      { protocol: 'all', destinations: ['8.8.8.8'] },
    ],
  });
  const [http, https] = [80, 443].map((port) => ({ start: port, end: port }));
  expect(egress).toEqual([
    { protocol: 'tcp', destinations: ['10.0.0.0/8', '1.1.1.1-1.1.1.9'], ports: [http, https] },
    { protocol: 'udp', destinations: ['10.0.0.1,10.0.0.2'], ports: [{ start: 1, end: 1024 }] },
    { protocol: 'icmp', destinations: ['0.0.0.0/0'], icmp: { type: 8, code: -1 } },
    { protocol: 'all', destinations: ['8.8.8.8'] },
  ]);
});

test('what else an LRP says', () => {
  const found = order({
    cpu_weight: 0,
    log_rate_limit: { bytes_per_second: 1024n },
    metrics_guid: 'metrics',
    certificate_properties: { organizational_unit: ['app:a'] },
    routes: { routes: { 'internal-router': Buffer.from('[{"hostname":"a.internal"},{"x":1},7]') } },
    volume_mounted_files: [{ path: 'db/uri', content: 'postgres://…' }],
    action: run('/a', { volume_mounted_files: [{ path: '/vcap_services', content: '{}' }], dir: '/work' }),
  });
  expect(found).toMatchObject({
    limits: { cpu_weight: 1 },
    logs: { bytes_per_second: 1024 },
    metrics: { guid: 'metrics' },
    organizational_unit: ['app:a'],
    internal_routes: ['a.internal'],
    launch: { cwd: '/work' },
    files: { '/etc/cf-service-bindings/db/uri': 'postgres://…', '/etc/cf-service-bindings/vcap_services': '{}' },
  });
});

test.each(['', 'not json', '{}', 'null'])('a broken list of internal routes %p is none', (text) => {
  expect(order({ routes: { routes: { 'internal-router': Buffer.from(text) } } }).internal_routes).toEqual([]);
});

describe('a task', () => {
  test('of Cloud Controller', () => {
    const { downloads, launch, ...rest } = task({
      log_source: 'CELL',
      action: {
        serial_action: {
          actions: [
            { download_action: { artifact: 'droplet', from: 'http://blob/d', to: '.', user: 'vcap' } },
            run('/tmp/lifecycle/launcher', { args: ['app', 'rake migrate', ''], log_source: 'APP/TASK/migrate' }),
          ],
        },
      },
      metric_tags: { source_id: { static: 'app' } },
    });
    expect(downloads).toMatchObject([{ artifact: 'droplet', to: '/home/vcap' }]);
    expect(launch.command).toEqual({ kind: 'start_command', text: 'rake migrate' });
    expect(launch.env.map(([name]) => name)).toEqual(['HOME', 'TMPDIR', 'DEPS_DIR']);
    expect(rest).toMatchObject({ name: 'task', ports: [], wrapped: [], metrics: { guid: 'app' } });
    expect(rest).not.toHaveProperty('result_file');
  });

  test('with a result and an end to its time', () => {
    const action: Sent<Action> = {
      timeout_action: { action: run('bash', { args: ['-c', 'echo hi > /tmp/r'] }), timeout_ms: 10_000n },
    };
    expect(task({ action, result_file: '/tmp/r' })).toMatchObject({
      ...{ result_file: '/tmp/r', timeout_ms: 10_000 },
      launch: { command: { kind: 'program', argv: ['bash', '-c', 'echo hi > /tmp/r'] } },
    });
  });
});
