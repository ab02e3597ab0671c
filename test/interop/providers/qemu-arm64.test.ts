/** Machines for arm64 on QEMU: a program, a static site, and what brings its runtime from an arm64 root. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { get } from 'node:http';
import { join } from 'node:path';
import type { QemuProvider } from '../../../executor/providers/qemu/qemu.js';
import { ImageStore } from '../../../executor/images/store.js';
import { machineSpec } from '../../../executor/boot.js';
import { guests } from '../../../executor/guests/index.js';
import { buildImage } from '../../../stager/build.js';
import {
  STATIC_SERVER_ARM64_BASE64,
  STATIC_SERVER_ARM64_COMPILER,
} from '../../../stager/toolchains/static-server-arm64-code.js';
import { aSpec } from '../../support/executor.js';
import { makeBench, makeSpec, open, type Bench } from '../../support/qemu.js';
import { makeProvider } from '../../support/qemu-provider.js';

let bench: Bench;
let home: string;
let provider: QemuProvider;
beforeAll(async () => {
  bench = await makeBench('aarch64');
  home = await mkdtemp(join(bench.dir, 'home-'));
  provider = makeProvider(home);
}, 180_000);
afterAll(async () => {
  for (const handle of await provider.list('arm64/test')) await provider.destroy(handle);
  provider.close();
  await rm(home, { recursive: true, force: true });
  await bench.close();
});

const mode = process.getuid?.() === 0 ? 'tap' : 'isolated';
const never = (): AbortSignal => new AbortController().signal;

test('a machine for arm64 answers, and ends as it is told', async () => {
  const spec = makeSpec(bench, 'web', { key: 'arm64', owner: 'arm64/test' }, { mode, ...open });
  const handle = await provider.start(spec, never());
  let up = false;
  while (!up) up = await provider.reaches(handle, 8080, 2_000, never());
  const at = provider.endpoint(handle, 8080);
  const status = await new Promise((resolve, reject) =>
    get(at ?? {}, (reply) => resolve(reply.resume().statusCode)).on('error', reject),
  );
  expect(status).toBe(200);
  await provider.stop(handle, 30_000);
  expect(await provider.exits(handle, never())).toMatchObject({ reason: 'exited', code: 0 });
}, 180_000);

test('a static site for arm64 answers by our own server, and ends as it is told', async () => {
  const store = new ImageStore(join(home, 'images'));
  const app = { source: 'test/fixtures/apps/static', work: join(home, 'work'), env: process.env };
  const image = await buildImage({ ...app, store, arch: 'aarch64', progress: () => undefined });
  const ports = [{ host_address: '127.0.0.1', host_port: 0, guest_port: 8080, protocol: 'tcp' as const }];
  const who = { key: 'site', owner: 'arm64/test', image: image.digest };
  const spec = aSpec({ ...who, ports, network: { mode, ...open } });
  const machine = machineSpec(spec, { image, kernel: bench.kernel, guest: guests.linux, provider });
  const handle = await provider.start(machine, never());
  let up = false;
  while (!up) up = await provider.reaches(handle, 8080, 2_000, never());
  const { host, port } = provider.endpoint(handle, 8080) ?? {};
  const ask = (path: string, more: RequestInit = {}): Promise<Response> =>
    fetch(`http://${String(host)}:${String(port)}${path}`, more);
  const page = await ask('/');
  expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
  expect(await page.text()).toContain('static says hello');
  expect(await (await ask('/data.json')).json()).toEqual({ fixture: 'static' });
  for (const [path, status] of Object.entries({ '/none': 404, '/..%2f..%2f..%2fetc%2fpasswd': 400 }))
    expect((await ask(path)).status).toBe(status);
  expect((await ask('/', { method: 'POST' })).status).toBe(405);
  await provider.stop(handle, 30_000);
  expect(await provider.exits(handle, never())).toMatchObject({ reason: 'exited', signal: 'SIGTERM' });
}, 180_000);

test.each([
  ['node-bare', 'node-bare says hello'],
  ['python', 'python says &lt;hello&gt; with markupsafe._speedups'],
])(
  '%s answers by the runtime of an arm64 root',
  async (name, says) => {
    const root = join(bench.dir, 'arm64');
    if (!existsSync(root)) await execa('node', ['scripts/arm64-root.mjs', root]);
    const store = new ImageStore(join(home, 'images'));
    const env = { ...process.env, UNIK_ARM64_ROOT: root };
    const app = { source: `test/fixtures/apps/${name}`, work: join(home, 'work'), env };
    const image = await buildImage({ ...app, store, arch: 'aarch64', progress: () => undefined });
    const ports = [{ host_address: '127.0.0.1', host_port: 0, guest_port: 8080, protocol: 'tcp' as const }];
    const who = { key: name, owner: 'arm64/test', image: image.digest };
    const limits = { memory_mb: 256, disk_mb: 64, cpus: 1 };
    const spec = aSpec({ ...who, ports, limits, network: { mode, ...open } });
    const machine = machineSpec(spec, { image, kernel: bench.kernel, guest: guests.linux, provider });
    const handle = await provider.start(machine, never());
    let up = false;
    while (!up) up = await provider.reaches(handle, 8080, 2_000, never());
    const { host, port } = provider.endpoint(handle, 8080) ?? {};
    const page = await fetch(`http://${String(host)}:${String(port)}/`);
    expect([page.status, (await page.text()).trim()]).toEqual([200, says]);
    await provider.stop(handle, 30_000);
    expect(await provider.exits(handle, never())).toMatchObject({ reason: 'exited', code: name === 'python' ? 6 : 3 });
  },
  300_000,
);

test('its server is what the source makes', async () => {
  const script = `import('./scripts/guest-programs.mjs').then((m) =>
    console.log(JSON.stringify([m.compilerVersion('static-arm64'), m.compileProgram('static-arm64').toString('base64')])))`;
  const [compiler, made = ''] = JSON.parse((await execa('node', ['-e', script])).stdout) as string[];
  // Another compiler makes other bytes; that it compiles is then all that can be said.
  if (compiler === STATIC_SERVER_ARM64_COMPILER) expect(made).toBe(STATIC_SERVER_ARM64_BASE64);
  else expect(made.length).toBeGreaterThan(2_000);
});
