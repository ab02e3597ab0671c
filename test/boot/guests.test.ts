/** Machines of guests that bring their own kernel, booted for real: with a kernel of our own source. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { noLog } from '../../core/log.js';
import { systemClock } from '../../core/clock.js';
import { guests } from '../../executor/guests/index.js';
import { ImageStore, type StoredImage } from '../../executor/images/store.js';
import type { InstanceConfig, MachineHandle } from '../../executor/model.js';
import { QemuProvider } from '../../executor/providers/qemu/qemu.js';
import { lookUp, machineSpec } from '../../executor/boot.js';
import { buildImage } from '../../stager/build.js';
import { chooseGuest } from '../../stager/suitability/guest.js';
import { aSpec } from '../support/executor.js';
import { failure } from '../support/failure.js';
import { compileKernel, scratch } from '../support/guests.js';

let folder: Awaited<ReturnType<typeof scratch>>;
let provider: QemuProvider;
let image: StoredImage;

beforeAll(async () => {
  folder = await scratch();
  const { dir } = folder;
  const file = await compileKernel(dir);
  const store = new ImageStore(join(dir, 'images'));
  const options = { store, work: join(dir, 'work'), progress: () => undefined, env: process.env };
  image = await buildImage({ ...options, source: file, guest: chooseGuest('multiboot', undefined) });
  provider = new QemuProvider({
    home: join(dir, 'home'),
    clock: systemClock,
    log: noLog,
    path: process.env['PATH'] ?? '',
  });
});
afterAll(async () => {
  provider.close();
  await folder.remove();
});

async function boot(
  key: string,
  argv: string[],
): Promise<{ handle: MachineHandle; text: string; commandLine: string }> {
  const spec = aSpec({ key, provider: 'qemu', image: image.digest, argv });
  const parts = await lookUp(
    { ...spec, network: { mode: 'none', dns: [], egress: { deny: [] } } },
    {
      images: { get: async () => image },
      kernels: { pick: async () => Promise.reject(new Error('the image is the kernel')) },
      guests: new Map(Object.values(guests).map((guest) => [guest.name, guest])),
      providers: new Map([['qemu', provider]]),
    },
  );
  const machine = machineSpec({ ...spec, network: { mode: 'none', dns: [], egress: { deny: [] } } }, parts);
  const handle = await provider.start(machine, AbortSignal.timeout(30_000));
  const commandLine = await commandLineOf(key);
  let text = '';
  for await (const { bytes } of provider.console(handle, {}, AbortSignal.timeout(60_000)))
    text += Buffer.from(bytes).toString();
  return { handle, text, commandLine };
}

/** What everybody on the host can read of the machine while it runs; empty once it has ended. */
async function commandLineOf(key: string): Promise<string> {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (line.includes(`guest=${key},`)) return line.replaceAll('\0', ' ');
  }
  return '';
}

test('a multiboot kernel boots, gets its arguments, and its status is the machine’s', async () => {
  const { handle, text } = await boot('own-kernel', ['kernel.elf', 'one', '--two=2']);
  expect(text).toMatch(/hello from a kernel of our own: .*one --two=2\n/);
  const exit = await provider.exits(handle, AbortSignal.timeout(30_000));
  expect(exit).toMatchObject({ reason: 'exited', code: 5 });
  await provider.destroy(handle);
});

test('another status is another, and no argument stands on QEMU’s command line', async () => {
  const secret = 'hunter2-x-hunter2';
  const { handle, text, commandLine } = await boot('own-secret', ['kernel.elf', secret]);
  expect(text).toContain(secret);
  expect(commandLine).not.toContain(secret);
  expect(await provider.exits(handle, AbortSignal.timeout(30_000))).toMatchObject({ reason: 'exited', code: 3 });
  await provider.destroy(handle);
});

test('a blank in an argument is refused, not split', async () => {
  const config = { argv: ['kernel.elf', 'two words'], net: { mode: 'none', dns: [] } } as unknown as InstanceConfig;
  const plan = guests.multiboot.plan(image, {} as never, { memory_mb: 16, disk_mb: 1, cpus: 1 });
  expect((await failure(() => plan.configure?.(config))).code).toBe('bad_request');
});

test.each([
  ['multiboot', '/bin/true', /no multiboot header/],
  ['solo5', '/bin/true', /no Solo5 manifest/],
] as const)('a file that is no kernel is refused for %s', async (guest, source, named) => {
  const store = new ImageStore(join(folder.dir, 'refused'));
  const options = { store, work: join(folder.dir, 'work'), progress: () => undefined, env: process.env };
  const refusal = await failure(() => buildImage({ ...options, source, guest: chooseGuest(guest, undefined) }));
  expect(refusal.code).toBe('program_missing');
  expect(refusal.message).toMatch(named);
});

test('our programs in the sources are those in the images', async () => {
  const { LAUNCHER_BASE64, LAUNCHER_COMPILER } = await import('../../executor/guests/unikraft/launch-code.js');
  const { SETTLE_BASE64 } = await import('../../executor/guests/osv/settle-code.js');
  const { STATIC_SERVER_BASE64 } = await import('../../stager/toolchains/static-server-code.js');
  const script = `import('./scripts/guest-programs.mjs').then((m) =>
    console.log(JSON.stringify([m.compilerVersion('static'), ...['launcher', 'static', 'settle'].map((name) => m.compileProgram(name).toString('base64'))])))`;
  const [compiler, ...made] = JSON.parse((await execa('node', ['-e', script])).stdout) as string[];
  // Another compiler makes other bytes; that it compiles is then all that can be said.
  if (compiler === LAUNCHER_COMPILER) expect(made).toEqual([LAUNCHER_BASE64, STATIC_SERVER_BASE64, SETTLE_BASE64]);
  else for (const program of made) expect(program.length).toBeGreaterThan(2_000);
});
