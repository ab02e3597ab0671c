import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { InstanceDetail, InstanceSummary } from '../../../backend/api/schema/instances.js';
import { bundleCli } from '../../support/bundle.js';
import { Cli, wrote } from '../../support/cli.js';
import { KERNELS, makeHome, removeHome } from '../../support/home.js';

// Each command is a process of its own, and machines are busy.
jest.setTimeout(60_000);

let bundle: string;
let cli: Cli;
let digest: string;

beforeAll(async () => {
  bundle = await bundleCli('cli');
  const made = await makeHome({ memory_mb: 4096 });
  digest = made.digest;
  cli = new Cli(bundle, made.home);
});

afterAll(async () => {
  await cli.run('down');
  await removeHome(cli.home);
  await rm(bundle);
});

const inspect = async (ref: string): Promise<InstanceDetail> =>
  (JSON.parse(await cli.ok('inspect', '--show-env', ref)) as InstanceDetail[])[0] as InstanceDetail;

test('the first command starts the daemon and says so, once', async () => {
  const first = await cli.run('ps');
  expect(first).toMatchObject({ status: 0, stdout: 'ID  NAME  IMAGE  PROVIDER  STATUS  CREATED  PORTS\n' });
  expect(first.stderr).toBe(`unik: started the daemon of ${cli.home}\n`);
  expect((await cli.run('ps')).stderr).toBe('');
  for (const name of ['unik.sock', 'daemon.log', 'daemon.lock']) {
    expect([name, (await stat(join(cli.home, name))).mode & 0o077]).toEqual([name, 0]);
  }
  expect((await stat(cli.home)).mode & 0o777).toBe(0o700);
});

describe('run', () => {
  test('in the foreground: its output is ours, apart, and so is its exit status', async () => {
    const outcome = await cli.run(
      ...['run', '--rm', '--no-healthcheck', '-e', 'FAKE_STDOUT=out a=b\n', '-e', 'FAKE_STDERR=err\n'],
      ...['-e', 'FAKE_EXIT_AFTER_MS=100', '-e', 'FAKE_EXIT_CODE=7', 'hello'],
    );
    expect(outcome).toEqual({ status: 7, stdout: 'out a=b\n', stderr: 'err\n' });
    expect(JSON.parse(await cli.ok('ps', '-a', '--json'))).toEqual([]);
  });

  test('Ctrl-C stops it politely', async () => {
    const run = cli.start(['run', '--name', 'polite', '-e', 'FAKE_STDOUT=up\n', 'hello']);
    await wrote(run, 'up');
    run.kill('SIGINT');
    const { status, stdout } = await run.outcome;
    expect(status).toBe(0);
    expect(stdout).toBe('up\ngoodbye\n');
    expect(await inspect('polite')).toMatchObject({ status: 'exited', exit: { reason: 'stopped' } });
    await cli.ok('rm', 'polite');
  });

  test('-d prints the id, and where it answers; then stop, start, restart, kill, wait, rm', async () => {
    const { stdout, stderr } = await cli.run('run', '-d', '--name', 'web', '-p', '8080', '-m', '64', 'hello');
    expect(stdout).toMatch(/^[0-9a-f]{32}\n$/);
    const [, url = ''] = /^web answers at (http:\/\/127\.0\.0\.1:\d+)\n$/.exec(stderr) ?? [];
    expect((await fetch(url)).status).toBe(200);
    const [row] = JSON.parse(await cli.ok('ps', '--json')) as InstanceSummary[];
    expect(row).toMatchObject({ name: 'web', status: 'running', memory_mb: 64, urls: [url] });
    expect(await cli.ok('ps')).toMatch(/web +hello +fake +Up .*127\.0\.0\.1:\d+->8080\/tcp/);

    expect(await cli.ok('stop', '-t', '5', 'web')).toBe('web');
    expect(await cli.ok('ps', '-q')).toBe('');
    expect(await cli.ok('ps', '-a')).toContain('Exited (0)');
    await cli.ok('start', 'web');
    await cli.ok('restart', '--kernel', KERNELS[0], 'web');
    expect(await inspect('web')).toMatchObject({
      status: expect.stringMatching(/running|starting/),
      kernel: KERNELS[0],
    });
    await cli.ok('restart', '--kernel', 'newest', 'web');
    expect((await inspect('web')).kernel).toBe(KERNELS[1]);
    await cli.ok('kill', 'web');
    expect(await cli.ok('wait', 'web')).toBe('137');
    await cli.ok('rm', 'web');
    expect((await cli.run('inspect', 'web')).stderr).toContain('(not_found)');
  });

  test('flags become the order', async () => {
    await writeFile(join(cli.home, 'x.env'), '# comment\nFROM_FILE=a=b\nBOTH=file\nOWN\n');
    const run = cli.start(
      [
        ...['run', '-d', '--no-wait', '--instanceName', 'flags', '--imageName', 'hello', '--instanceMemory', '96'],
        ...['--env-file', 'x.env', '--env', 'BOTH=flag', '--cpus', '2', '--disk', '2g', '--restart', 'on-failure:3'],
        ...['--health-type', 'http', '--health-path', '/h', '--health-port', '9', '--health-retries', '5'],
        ...[
          '--network',
          'isolated',
          '--stop-timeout',
          '3s',
          '--hostname',
          'box',
          '-l',
          'a=b',
          '--',
          '/bin/other',
          '-x',
        ],
      ],
      { OWN: 'mine' },
    );
    expect((await run.outcome).status).toBe(0);
    expect(await inspect('flags')).toMatchObject({
      command: ['/bin/other', '-x'],
      env: { FROM_FILE: 'a=b', BOTH: 'flag', OWN: 'mine' },
      memory_mb: 96,
      disk_mb: 2048,
      cpus: 2,
      hostname: 'box',
      labels: { a: 'b' },
      restart: { policy: 'on-failure', max_retries: 3 },
      health: { startup: { kind: 'http', port: 9, path: '/h' }, liveness: { failures: 5 } },
      network: { mode: 'isolated' },
      stop_timeout_ms: 3000,
    });
    await cli.ok('delete-instance', '--instance', 'flags', '-f');
  });

  test('words after the image are the command, even when they look like our flags', async () => {
    await cli.ok('run', '-d', '--no-wait', '--name', 'words', 'hello', 'prog', '-p', '--name');
    expect((await inspect('words')).command).toEqual(['prog', '-p', '--name']);
    await cli.ok('rm', '-f', 'words');
  });

  test('a start that fails while we wait is told, and kept for `logs`', async () => {
    const { status, stderr } = await cli.run(
      'run',
      '-d',
      '--name',
      'deaf',
      '-e',
      'FAKE_DEAF=1',
      '--health-start-period',
      '300ms',
      'hello',
    );
    expect(status).toBe(1);
    expect(stderr).toMatch(/^unik: deaf ended \(start_timeout.*\(start_timeout\)\n {2}fix: /m);
    await cli.ok('logs', 'deaf');
    await cli.ok('rm', 'deaf');
  });
});

test('restart policies work through the daemon', async () => {
  const flags = ['--name', 'again', '--restart', 'on-failure:2', '--no-healthcheck'];
  const run = [
    'run',
    ...flags,
    '-e',
    'FAKE_EXIT_AFTER_MS=50',
    '-e',
    'FAKE_EXIT_CODE=3',
    '-e',
    'FAKE_STDOUT=try\n',
    'hello',
  ];
  expect(await cli.run(...run)).toMatchObject({ status: 3, stdout: 'try\ntry\ntry\n' });
  expect(await inspect('again')).toMatchObject({ status: 'exited', restarts: 2 });
  await cli.ok('rm', 'again');
});

test('logs: tail, since, timestamps, streams, kernel lines, JSON', async () => {
  const env = [
    '-e',
    'FAKE_LINES=3',
    '-e',
    'FAKE_LINES_PER_S=100',
    '-e',
    'FAKE_STDERR=err\n',
    '-e',
    'FAKE_EXIT_AFTER_MS=200',
  ];
  await cli.run('run', '--name', 'talk', '--no-healthcheck', ...env, 'hello');
  expect(await cli.run('logs', '--app', 'talk')).toMatchObject({ stdout: 'line 1\nline 2\nline 3\n', stderr: 'err\n' });
  expect(await cli.ok('logs', '--tail', '1', '--instance', 'talk')).toBe('line 3');
  expect(await cli.ok('logs', '-t', '-n', '1', 'talk')).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z line 3$/);
  expect(await cli.ok('logs', '--since', '2100-01-01T00:00:00Z', 'talk')).toBe('');
  expect((await cli.run('logs', 'talk')).stderr).toContain('powered on');
  expect(JSON.parse(await cli.ok('logs', '--json', '-n', '1', 'talk'))).toMatchObject({
    stream: 'stdout',
    text: 'line 3',
  });
  await cli.ok('rm', 'talk');
});

describe('refusals: one clear error with a code, exit 1', () => {
  let port: { number: number; close: () => Promise<void> };
  let instances: string;

  beforeAll(async () => {
    port = await listener();
    for (const dir of ['empty', 'unknown', 'procfile', 'site']) await mkdir(join(cli.home, dir), { recursive: true });
    await writeFile(join(cli.home, 'unknown', 'notes.txt'), 'nothing to run');
    await writeFile(join(cli.home, 'procfile', 'Procfile'), 'this is no line of a Procfile');
    await writeFile(join(cli.home, 'site', 'index.html'), 'hello');
    for (const name of ['taken', 'tale']) await cli.ok('run', '-d', '--name', name, 'hello');
    instances = await cli.ok('ps', '-aq');
  });

  afterAll(async () => {
    await cli.ok('rm', '-f', 'taken', 'tale');
    await port.close();
  });

  test.each<[string, string[]]>([
    ['source_missing', ['build', './nowhere', '-t', 'x']],
    ['source_empty', ['build', './empty', '-t', 'x']],
    ['language_unknown', ['build', './unknown', '-t', 'x']],
    ['procfile_invalid', ['build', './procfile', '-t', 'x']],
    ['bad_request', ['build', './site', '-t', 'Not A Name']],
    ['image_missing', ['run', 'nothing']],
    ['image_missing', ['rmi', 'nothing']],
    ['insufficient_memory', ['run', '-m', '900g', 'hello']],
    ['name_in_use', ['run', '--name', 'taken', 'hello']],
    ['port_taken', ['run', '-p', 'PORT:80', 'hello']],
    ['kernel_missing', ['run', '--kernel', 'linux-9', 'hello']],
    ['provider_unknown', ['run', '--provider', 'aws', 'hello']],
    ['bad_request', ['run', '--network', 'tap', '--provider', 'magic', 'hello']],
    ['bad_request', ['run', '--process', 'worker', 'hello']],
    ['bad_request', ['kill', '-s', 'NOPE', 'taken']],
    ['not_found', ['stop', 'nobody']],
    ['not_found', ['logs', 'nobody']],
    ['name_ambiguous', ['stop', 'ta']],
    ['conflict', ['rm', 'taken']],
    ['image_in_use', ['rmi', 'hello']],
    ['kernel_in_use', ['kernel', 'rm', KERNELS[1]]],
    ['kernel_missing', ['kernel', 'verify', 'nothing']],
    ['kernel_invalid', ['kernel', 'import', './empty']],
    ['daemon_running', ['daemon']],
    ['daemon_running', ['daemon', '-d']],
    ['daemon_unreachable', ['ps', '--host', 'unix:///nowhere.sock']],
    ['daemon_unreachable', ['ps', '--host', 'https://127.0.0.1:1']],
  ])('%s: unik %j', async (code, words) => {
    const { status, stdout, stderr } = await cli.run(...words.map((word) => word.replace('PORT', String(port.number))));
    expect(stderr).toMatch(new RegExp(`^unik: [^\\n]+ \\(${code}\\)\\n(  [^\\n]+\\n)*  fix: [^\\n]+\\n$`));
    expect([status, stdout]).toEqual([1, '']);
  });

  test('and none of them leaves anything behind', async () => {
    expect(await cli.ok('ps', '-aq')).toBe(instances);
    expect(JSON.parse(await cli.ok('images', '--json'))).toMatchObject([{ digest }]);
  });
});

test.each([
  [['frobnicate']],
  [['run']],
  [['run', '--nonsense', 'hello']],
  [['stop']],
  [['build']],
  [['run', '-p', 'x', 'hello']],
  [['run', '-m', 'much', 'hello']],
  [['run', '-e', '=x', 'hello']],
  [['run', '--restart', 'often', 'hello']],
  [['run', '--rm', '--restart', 'always', 'hello']],
  [['run', '--health-type', 'magic', 'hello']],
  [['run', '--env-file', 'nowhere.env', 'hello']],
  [['logs', '--tail', '-1', 'x']],
  [['target', '--port', '1']],
  [['ps', '--host', 'http://plain:1']],
  [['completion', 'cmd']],
])('wrong usage exits with 2: %j', async (words) => {
  const { status, stdout, stderr } = await cli.run(...words);
  expect([status, stdout]).toEqual([2, '']);
  expect(stderr).toMatch(/^unik: /);
});

test('help and versions are no failure', async () => {
  expect(await cli.ok('--help')).toContain('Usage: unik');
  expect(await cli.ok('run', '--help')).toContain('--health-start-period');
  expect(JSON.parse(await cli.ok('version', '--json'))).toEqual({ client: '0.1.0', daemon: '0.1.0' });
});

test('images: list, tag, inspect, verify, and the ways to remove', async () => {
  expect(await cli.ok('images')).toMatch(/^NAME .*\nhello:latest +[0-9a-f]{12} +linux/);
  await cli.ok('image', 'tag', 'hello', 'other:1');
  expect(await cli.ok('image', 'verify', 'other:1')).toBe(`${digest} is intact`);
  const [image] = JSON.parse(await cli.ok('inspect', 'other:1')) as { digest: string }[];
  expect(image).toMatchObject({ digest });
  expect(JSON.parse(await cli.ok('describe-image', '--image', 'hello'))).toEqual(image);
  expect(await cli.ok('delete-image', '--image', 'other:1')).toBe('untagged other:1');
  expect(JSON.parse(await cli.ok('images', '--json'))).toMatchObject([{ digest, names: ['hello:latest'] }]);
});

test('what there is: kernels, providers, guests, doctor', async () => {
  expect((JSON.parse(await cli.ok('kernel', 'ls', '--json')) as { id: string }[]).map(({ id }) => id)).toEqual(
    [...KERNELS].reverse(),
  );
  expect(await cli.ok('providers')).toMatch(/fake \* +yes/);
  expect(await cli.ok('guests')).toMatch(/linux +fake +yes/);
  const { status, stdout } = await cli.run('doctor', '--json');
  const { ok, findings } = JSON.parse(stdout) as { ok: boolean; findings: { name: string }[] };
  expect([status, ok]).toEqual(ok ? [0, true] : [1, false]);
  expect(findings.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['provider fake', 'kernels', 'disk', 'memory', 'daemon']),
  );
});

test('completion knows commands, flags and names', async () => {
  await cli.ok('run', '-d', '--name', 'complete-me', 'hello');
  const words = async (...typed: string[]) => (await cli.ok('__complete', '--', ...typed)).split('\n');
  expect(await words('re')).toEqual(['restart']);
  expect(await words('kernel', '')).toEqual(['ls', 'import', 'pull', 'inspect', 'verify', 'rm']);
  expect(await words('run', '--health-t')).toEqual(['--health-type', '--health-timeout']);
  expect(await words('stop', 'com')).toEqual(['complete-me']);
  expect(await words('run', '')).toEqual(['hello']);
  for (const shell of ['bash', 'zsh', 'fish']) expect(await cli.ok('completion', shell)).toContain('unik __complete');
  await cli.ok('rm', '-f', 'complete-me');
});

test('events tell what happens, without the environment', async () => {
  const events = cli.start(['events', '--json']);
  // Subscribed as soon as an event arrives that was made after it began.
  while (!events.said.stdout.includes('create'))
    await cli.ok('run', '--rm', '--no-healthcheck', '-e', 'TOKEN=hush', '-e', 'FAKE_EXIT_AFTER_MS=1', 'hello');
  await wrote(events, 'remove');
  events.kill('SIGTERM');
  const { stdout } = await events.outcome;
  expect(stdout).not.toContain('hush');
  expect(JSON.parse(stdout.split('\n')[0] ?? '')).toMatchObject({
    type: expect.any(String),
    id: expect.any(String),
  });
});

test('target is stored, shown and reset', async () => {
  expect(await cli.ok('target', '--host', 'cell.example', '--port', '3000')).toBe('https://cell.example:3000');
  expect(JSON.parse(await readFile(join(cli.home, 'target.json'), 'utf8'))).toEqual({
    host: 'https://cell.example:3000',
  });
  expect(await cli.ok('target', '--show')).toBe('https://cell.example:3000');
  expect(await cli.ok('target', '--reset')).toBe(`unix://${cli.home}/unik.sock`);
});

async function listener(): Promise<{ number: number; close: () => Promise<void> }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { number: address.port, close: () => new Promise((resolve) => server.close(() => resolve())) };
}
