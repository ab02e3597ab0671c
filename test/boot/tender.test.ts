/** Machines of a Solo5 tender: of a program of our own that takes a tender's options and attaches its tap as one does. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { execa } from 'execa';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { machineSpec } from '../../executor/boot.js';
import { guests } from '../../executor/guests/index.js';
import { ImageStore, type StoredImage } from '../../executor/images/store.js';
import type { MachineHandle, NetworkMode } from '../../executor/model.js';
import { GUEST_MAC } from '../../executor/providers/qemu/args.js';
import type { QemuProvider } from '../../executor/providers/qemu/qemu.js';
import { buildImage } from '../../stager/build.js';
import { chooseGuest } from '../../stager/suitability/guest.js';
import { aKernel, aSpec } from '../support/executor.js';
import { failure } from '../support/failure.js';
import { scratch } from '../support/guests.js';
import { leftovers } from '../support/qemu-leftovers.js';
import { makeProvider } from '../support/qemu-provider.js';
import { solo5Program } from '../support/solo5.js';

const OWNER = 'test/tender';
const isRoot = process.getuid?.() === 0;
const soon = (): AbortSignal => AbortSignal.timeout(30_000);

let folder: Awaited<ReturnType<typeof scratch>>;
let home: string;
let path: string;
let provider: QemuProvider;
let images: Record<'net' | 'plain', StoredImage & { dir: string }>;

beforeAll(async () => {
  folder = await scratch();
  home = join(folder.dir, 'home');
  path = [join(folder.dir, 'bin'), process.env['PATH']].join(delimiter);
  await mkdir(join(folder.dir, 'bin'));
  await execa('gcc', ['-Wall', '-O1', '-o', join(folder.dir, 'bin/solo5-spt'), 'test/fixtures/guests/tender.c']);
  images = { net: await imageOf('net'), plain: await imageOf('plain') };
  provider = makeProvider(home, path);
}, 60_000);
afterEach(async () => {
  for (const handle of await provider.list(OWNER)) await provider.destroy(handle);
});
afterAll(async () => {
  provider.close();
  const left = await leftovers(home);
  await folder.remove();
  expect(left).toEqual([]);
});

async function imageOf(kind: 'net' | 'plain'): Promise<StoredImage & { dir: string }> {
  const source = join(folder.dir, `${kind}.spt`);
  await writeFile(source, solo5Program('spt', kind === 'net' ? [{ name: 'service', kind: 'net' }] : []));
  const store = new ImageStore(join(folder.dir, 'images'));
  const options = { store, work: join(folder.dir, 'work'), progress: () => undefined, env: process.env };
  const { digest } = await buildImage({ ...options, source, guest: chooseGuest('solo5', undefined) });
  return store.get(digest);
}

function specOf(key: string, words: string[], over: { mode?: NetworkMode; memory_mb?: number } = {}) {
  const { mode = 'none', memory_mb = 16 } = over;
  const network = { mode, dns: [], egress: { deny: [] } };
  const limits = { memory_mb, disk_mb: 1, cpus: 1 };
  const spec = aSpec({ key, owner: OWNER, provider: 'qemu', argv: ['app', ...words], network, limits });
  const image = mode === 'none' ? images.plain : images.net;
  return machineSpec(spec, {
    image,
    kernel: { ...aKernel({ overhead_mb: 8 }), dir: '/' },
    guest: guests.solo5,
    provider,
  });
}

const start = (...args: Parameters<typeof specOf>): Promise<MachineHandle> => provider.start(specOf(...args), soon());

async function consoleOf(handle: MachineHandle, from = provider): Promise<string> {
  let text = '';
  for await (const { bytes } of from.console(handle, {}, soon())) text += Buffer.from(bytes).toString();
  return text;
}

async function saying(handle: MachineHandle, words: string, from = provider): Promise<void> {
  let text = '';
  for await (const { bytes } of from.console(handle, {}, soon())) {
    text += Buffer.from(bytes).toString();
    if (text.includes(words)) return;
  }
  throw new Error(`it ended after saying: ${text}`);
}

test.each([
  ['0', { reason: 'exited', code: 0 }],
  ['64', { reason: 'exited', code: 64 }],
  ['abort', { reason: 'kernel_panic' }],
  ['crash', { reason: 'kernel_panic', signal: 'SIGSEGV' }],
])('a program that ends with %s is told so, with all it wrote', async (word, exit) => {
  const handle = await start(`ends-${word}`, [word, '--two=2']);
  expect(await provider.exits(handle, soon())).toMatchObject(exit);
  const text = await consoleOf(handle);
  expect(text).toContain(`Command line is: '${word} --two=2'`);
  expect(text).toContain('Memory map: 25 MB');
  // An account of its own, and none of the host's rights.
  expect(text).toMatch(/NoNewPrivs:\t1\n/);
  if (isRoot) expect(text).toMatch(/Uid:\t[1-9]\d+\t/);
  expect(handle.data).toMatchObject({ accelerator: 'none' });
});

test('what the tender refuses is why the machine did not boot', async () => {
  const handle = await start('refused', ['0'], { memory_mb: 2048 });
  const exit = await provider.exits(handle, soon());
  expect(exit).toMatchObject({
    reason: 'boot_failed',
    code: 1,
    message: expect.stringMatching(/Maximum guest memory/),
  });
});

test('one that stays takes no signals, and is ended when told', async () => {
  const handle = await start('stays', ['stay']);
  await saying(handle, 'Command line');
  expect((await provider.usage(handle))?.host_memory_bytes).toBeGreaterThan(0);
  expect((await failure(() => provider.kill(handle, 'SIGTERM'))).code).toBe('not_supported');
  await provider.stop(handle, 60_000);
  expect(await provider.exits(handle, soon())).toMatchObject({ reason: 'killed' });
});

const modes: NetworkMode[] = isRoot ? ['tap', 'user'] : [];
(isRoot ? describe : describe.skip)('its network', () => {
  test.each(modes)('%s is a tap, under the name that the program knows', async (mode) => {
    const handle = await start(`net-${mode}`, ['stay'], { mode });
    await saying(handle, 'Command line');
    await provider.kill(handle, 'SIGKILL');
    expect(await consoleOf(handle)).toMatch(new RegExp(`^service is tap0\nservice is ${GUEST_MAC}\n`));
  });
});

test.each(['isolated', 'none'] as const)('network %s is refused, and leaves nothing', async (mode) => {
  const spec = specOf('no-tap', ['0'], { mode: 'isolated' });
  const refusal = await failure(() => provider.start({ ...spec, network: { ...spec.network, mode } }, soon()));
  expect(refusal.code).toBe('guest_unsupported');
  expect(refusal.message).toMatch(/has no tap/);
  expect(await provider.list(OWNER)).toEqual([]);
});

test('without the program it is refused, and the refusal says what to do', async () => {
  const other = makeProvider(join(folder.dir, 'other'), process.env['PATH']?.replaceAll(/[^:]*solo5[^:]*:?/g, ''));
  const refusal = await failure(() => other.start(specOf('absent', ['0']), soon()));
  other.close();
  expect(refusal.code).toBe('guest_unsupported');
  expect(refusal.message).toMatch(/solo5-spt needs that program/);
});

test('machines outlive our process, and are taken back', async () => {
  const elsewhere = join(folder.dir, 'home-crash');
  const starter = join(folder.dir, 'starter.mjs');
  const banner = { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" };
  const entryPoints = ['test/support/qemu-starter.ts'];
  await build({ entryPoints, outfile: starter, bundle: true, platform: 'node', format: 'esm', banner });
  // Functions do not survive JSON, so what a plan would be told stands in it.
  const specs = [
    ['lives', 'stay'],
    ['ends', '3'],
  ].map(([key = '', word = '']) => {
    const spec = specOf(key, [word], isRoot ? { mode: 'tap' } : {});
    return { ...spec, boot: { ...spec.boot, cmdline: word } };
  });
  await writeFile(join(folder.dir, 'specs.json'), JSON.stringify(specs));
  const child = spawn(process.execPath, [starter, elsewhere, join(folder.dir, 'specs.json')], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, PATH: path },
  });
  const lines = createInterface({ input: child.stdout });
  await once(lines, 'line');
  await once(lines, 'line');
  child.kill('SIGKILL');
  await once(child, 'exit');

  const heir = makeProvider(elsewhere, path);
  try {
    const handles = await heir.list(OWNER);
    const [ends, lives] = ['ends', 'lives'].map((key) => handles.find((handle) => handle.key === key));
    if (!ends || !lives) throw new Error(`found only ${JSON.stringify(handles)}`);
    expect(await heir.recover(lives)).toEqual(lives);
    await saying(lives, "Command line is: 'stay'", heir);
    const { pid = 0 } = lives.data as { pid?: number };
    expect(await readFile(`/proc/${pid}/comm`, 'utf8')).toBe('solo5-spt\n');
    expect(await heir.exits(ends, soon())).toMatchObject({ reason: 'exited', code: 3 });
    await heir.kill(lives, 'SIGKILL');
    expect(await heir.exits(lives, soon())).toMatchObject({ reason: 'killed' });
  } finally {
    for (const handle of await heir.list(OWNER)) await heir.destroy(handle);
    heir.close();
  }
  expect(await leftovers(elsewhere)).toEqual([]);
}, 60_000);
