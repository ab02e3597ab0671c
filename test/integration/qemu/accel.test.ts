import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chooseAccelerator, type AcceleratorChoice } from '../../../executor/providers/qemu/accel.js';

/** Programs that end as QEMU does; each writes down that it ran. */
const QEMU = {
  boots: 'exit 99',
  aborts: 'echo "error: failed to set MSR 0x10a" >&2; kill -ABRT $$',
  hangs: 'exec sleep 30',
  refuses: 'echo "Could not access KVM kernel module: Permission denied" >&2; exit 1',
};

describe('KVM is used only when it boots a machine', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'unik-accel-'));
    await writeFile(join(dir, 'kvm'), '');
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  const choose = async (kind: keyof typeof QEMU, version = '7.2'): Promise<AcceleratorChoice> => {
    const program = join(dir, 'qemu');
    await writeFile(program, `#!/bin/sh\necho ran >>${dir}/runs\n${QEMU[kind]}\n`);
    await chmod(program, 0o755);
    const options = { home: dir, path: process.env['PATH'] ?? '', program, version, device: join(dir, 'kvm') };
    return chooseAccelerator(options, new AbortController().signal);
  };
  const runs = async (): Promise<number> => (await readFile(join(dir, 'runs'), 'utf8')).split('\n').length - 1;

  test('it does', async () => {
    expect(await choose('boots')).toMatchObject({ accelerator: 'kvm', kvm: 'works' });
  });

  test.each([
    ['aborts' as const, 'failed to set MSR 0x10a'],
    ['hangs' as const, 'it hung for 1500 ms'],
    ['refuses' as const, 'Permission denied'],
  ])('it %s: emulation, and the reason is told', async (kind, words) => {
    const before = performance.now();
    const choice = await choose(kind);
    expect(performance.now() - before).toBeLessThan(2_000);
    expect(choice).toMatchObject({
      accelerator: 'tcg',
      kvm: 'broken',
      reason: expect.stringContaining(words) as unknown,
    });
  });

  test('the answer is remembered for this boot and this QEMU', async () => {
    await choose('boots');
    expect(await choose('refuses')).toMatchObject({ kvm: 'works' });
    expect(await runs()).toBe(1);
    expect(await choose('refuses', '8.0')).toMatchObject({ kvm: 'broken' });
    expect(await runs()).toBe(2);
    expect((await readdir(dir)).sort()).toEqual(['accel.json', 'kvm', 'qemu', 'runs']);
  });

  test('a remembered answer that cannot be read is asked again', async () => {
    await writeFile(join(dir, 'accel.json'), '{"valid_for":');
    expect(await choose('boots')).toMatchObject({ kvm: 'works' });
  });

  test('no device: nothing is tried', async () => {
    await rm(join(dir, 'kvm'));
    expect(await choose('boots')).toMatchObject({ accelerator: 'tcg', kvm: 'absent' });
    await expect(runs()).rejects.toThrow();
  });
});
