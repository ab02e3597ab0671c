/**
 * Defects of the daemon that UniK shipped in 2016, each pinned as absent, by its number in our list of them. Those of
 * volumes, hub and clouds (1, 2, 11, 14) belong to later work; 21 (no copy of the disk per instance) is tested where
 * machines are laid out, and what a guest must do for 6, 9, 12 and 22 also on real machines in test/boot.
 */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Agent, request } from 'undici';
import type { InstanceDetail } from '../../backend/api/schema/instances.js';
import type { ImageDetail } from '../../backend/api/schema/images.js';
import { bundleCli } from '../support/bundle.js';
import { Cli } from '../support/cli.js';
import { makeHome, removeHome } from '../support/home.js';

jest.setTimeout(60_000);

const SECRET = 'hush-hush';
let bundle: string;
let cli: Cli;

beforeAll(async () => {
  bundle = await bundleCli('defects');
  const { home } = await makeHome({ providers: ['qemu'] });
  // All that the daemon finds: no emulator, no container engine, no mount, no mkfs.
  const path = join(home, 'path');
  await mkdir(path);
  await symlink(process.execPath, join(path, 'node'));
  for (const busybox of ['/usr/bin/busybox', '/bin/busybox']) {
    if (existsSync(busybox) && !existsSync(join(path, 'busybox'))) await symlink(busybox, join(path, 'busybox'));
  }
  cli = new Cli(bundle, home, { PATH: path });
  await cli.ok(
    'run',
    '-d',
    '--name',
    'web',
    '-p',
    '8080',
    '-e',
    `TOKEN=${SECRET}`,
    '-e',
    'FAKE_STDOUT=hello\n',
    'hello',
  );
});

afterAll(async () => {
  await cli.run('down');
  await removeHome(cli.home);
  await rm(bundle);
});

const inspect = async (ref: string): Promise<InstanceDetail> =>
  (JSON.parse(await cli.ok('inspect', '--show-env', ref)) as [InstanceDetail])[0];

async function http(method: 'GET' | 'POST', path: string, body?: object, accept = 'application/json') {
  const dispatcher = new Agent({ connect: { socketPath: join(cli.home, 'unik.sock') } });
  const sent =
    body === undefined ? {} : { body: JSON.stringify(body), headers: { accept, 'content-type': 'application/json' } };
  const reply = await request(`http://unik${path}`, { method, dispatcher, ...sent });
  const text = await reply.body.text();
  await dispatcher.close();
  return { status: reply.statusCode, text };
}

test('3: what does not exist is 404', async () => {
  for (const path of ['/v1/instances/nobody', '/v1/images/nothing', '/v1/instances/nobody/logs']) {
    expect([path, (await http('GET', path)).status]).toEqual([path, 404]);
  }
});

test('4: a failure is never a 200, nor a stream that just stops', async () => {
  const refused = await http('POST', '/v1/images', { path: '/nowhere' }, 'application/x-ndjson');
  expect([refused.status, refused.text]).toEqual([400, expect.stringContaining('source_missing')]);
  const unknown = join(cli.home, 'unknown');
  await mkdir(unknown, { recursive: true });
  await writeFile(join(unknown, 'notes'), '');
  expect((await http('POST', '/v1/images', { path: unknown })).status).toBe(422);
});

test('5 and 6: values of the environment arrive as they are', async () => {
  const value = `a=b "c" 'd' , \\e $HOME \`x\` %s\n\tüñí 🚀 ${'{"k":"v"}'.repeat(3000)}`;
  await cli.ok(
    'run',
    '-d',
    '--no-healthcheck',
    '--name',
    'env',
    '-e',
    `V=${value}`,
    '-e',
    `FAKE_STDOUT=${value}\n`,
    'hello',
  );
  expect((await inspect('env')).env['V']).toBe(value);
  expect(await cli.ok('logs', '--app', 'env')).toBe(value);
  await cli.ok('rm', '-f', 'env');
});

test('7: a part of a name means nothing, two candidates are refused', async () => {
  for (const name of ['pair-1', 'pair-2']) await cli.ok('run', '-d', '--name', name, 'hello');
  expect((await cli.run('rm', '-f', 'air')).stderr).toContain('(not_found)');
  expect((await cli.run('rm', '-f', 'pair')).stderr).toMatch(/pair-1.*pair-2.*\(name_ambiguous\)/);
  await cli.ok('rm', '-f', 'pair-1', 'pair-2');
});

test('8: an id is no process number, and stays the same over restarts', async () => {
  const before = await inspect('web');
  expect(before.id).toMatch(/^[0-9a-f]{32}$/);
  await cli.ok('restart', 'web');
  const after = await inspect('web');
  expect(after.id).toBe(before.id);
  expect(after.key).not.toBe(before.key);
});

test('9 and 12: there are logs, and a crash does not take them', async () => {
  const flags = ['--name', 'crash', '--no-healthcheck', '-e', 'FAKE_STDOUT=last words\n', '-e', 'FAKE_EXIT_CODE=139'];
  expect((await cli.run('run', ...flags, '-e', 'FAKE_EXIT_AFTER_MS=50', 'hello')).status).toBe(139);
  expect(await cli.ok('logs', '--app', 'crash')).toBe('last words');
  await cli.ok('rm', 'crash');
});

test('10: arguments are given when it runs', async () => {
  await cli.ok('run', '-d', '--name', 'args', 'hello', 'other', '--flag');
  expect((await inspect('args')).command).toEqual(['other', '--flag']);
  await cli.ok('rm', '-f', 'args');
});

test('13: a provider that cannot work takes nothing else down', async () => {
  const providers = JSON.parse(await cli.ok('provider', 'ls', '--json')) as { name: string; healthy: boolean }[];
  expect(providers).toMatchObject([
    { name: 'fake', healthy: true },
    { name: 'qemu', healthy: false },
  ]);
  const { status, stderr } = await cli.run('run', '--provider', 'qemu', '--network', 'none', 'hello');
  expect([status, stderr]).toEqual([1, expect.stringContaining('(provider_unavailable)')]);
});

test('15: a record that a crash left half-written harms nobody', async () => {
  const apps = join(cli.home, 'apps');
  const [whole = ''] = await readdir(apps);
  await writeFile(join(apps, `${whole}.0011.tmp`), '{"schema"');
  await writeFile(join(apps, `${'0'.repeat(32)}.json`), '{"schema"');
  const { pid } = JSON.parse((await http('GET', '/v1/info')).text) as { pid: number };
  process.kill(pid, 'SIGKILL');
  expect(JSON.parse(await cli.ok('ps', '--json'))).toMatchObject([{ name: 'web', status: 'running' }]);
  // Set aside, for a person to look at.
  await rm(join(apps, `${'0'.repeat(32)}.json.broken`));
});

test('16: no door but one that only its owner can open', async () => {
  const { mode } = await stat(join(cli.home, 'unik.sock'));
  expect(mode & 0o777).toBe(0o600);
  await writeFile(join(cli.home, 'other.json'), '');
  const home = join(cli.home, 'h2');
  await mkdir(home);
  for (const listen of [{ port: 1 }, { port: 1, token_file: 'x' }, { port: 1, tls: { cert: 'x', key: 'x' } }]) {
    await writeFile(join(home, 'config.json'), JSON.stringify({ listen }));
    expect((await new Cli(bundle, home).run('daemon')).stderr).toContain('(config_invalid)');
  }
});

test('17: secrets can be read by nobody else and are shown to nobody unasked', async () => {
  for (const words of [
    ['ps', '--json'],
    ['inspect', 'web'],
    ['logs', 'web'],
  ]) {
    expect(await cli.ok(...words)).not.toContain(SECRET);
  }
  expect((await stat(cli.home)).mode & 0o077).toBe(0);
  const shared = /^(images|kernels|path|config\.json|other\.json|unknown|links|h2)(\/|$)/;
  for (const name of await readdir(cli.home, { recursive: true })) {
    if (shared.test(name)) continue;
    expect([name, (await stat(join(cli.home, name))).mode & 0o077]).toEqual([name, 0]);
  }
});

test('18, 19 and 23: a folder with links builds with no other tool, and tells what it does', async () => {
  const folder = join(cli.home, 'links');
  await mkdir(join(folder, 'empty'), { recursive: true });
  await writeFile(join(folder, 'index.html'), 'hello');
  await symlink('index.html', join(folder, 'home.html'));
  await symlink('/nowhere/at/all', join(folder, 'dangling'));
  await symlink('loop', join(folder, 'loop'));
  const { status, stderr } = await cli.run('build', './links', '-t', 'links');
  expect([status, stderr.split('\n').length > 3]).toEqual([0, true]);
});

test('20: ports, exit codes and restarts', async () => {
  const { urls } = await inspect('web');
  expect((await fetch(urls[0] ?? '')).status).toBe(200);
  const flags = [
    '--no-healthcheck',
    '--restart',
    'on-failure:1',
    '-e',
    'FAKE_EXIT_AFTER_MS=20',
    '-e',
    'FAKE_EXIT_CODE=3',
  ];
  expect((await cli.run('run', '--name', 'twice', ...flags, 'hello')).status).toBe(3);
  expect((await inspect('twice')).restarts).toBe(1);
  await cli.ok('rm', 'twice');
});

test('22: nothing stands between a Node.js app and its ports', async () => {
  await cli.ok('build', fileURLToPath(new URL('../fixtures/apps/node-bare', import.meta.url)), '-t', 'node');
  const image = JSON.parse(await cli.ok('describe-image', 'node')) as ImageDetail;
  expect(image.ports).toEqual([8080]);
  expect(image.processes['web']?.argv).toEqual([expect.stringMatching(/\/node$/), 'server.js']);
});

test('24: no server of somebody else is a default', async () => {
  expect(await cli.ok('target', '--show')).toBe(`unix://${cli.home}/unik.sock`);
});
