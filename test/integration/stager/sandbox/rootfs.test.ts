import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { chmod, copyFile, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../../../core/process.js';
import { groupsOf } from '../../../../stager/sandbox/groups.js';
import { rootTree } from '../../../../stager/sandbox/rootfs.js';
import { Sandboxed, TIGHT } from '../../../support/sandboxed.js';

/** Most take a third of a second; a busy machine may take its time. */
jest.setTimeout(60_000);

const BUSYBOX = '/bin/busybox';

describe('in a root tree that the operator names', () => {
  let box: Sandboxed;
  let rootfs: string;
  beforeAll(async () => {
    rootfs = await mkdtemp(join(tmpdir(), 'unik-rootfs-'));
    for (const folder of ['usr/bin', 'etc/ssh', 'home/vcap', 'opt', 'tmp', 'proc', 'root']) {
      await mkdir(join(rootfs, folder), { recursive: true });
    }
    await copyFile(BUSYBOX, join(rootfs, 'usr/bin/busybox'));
    for (const name of ['sh', 'ls', 'cat', 'id', 'touch']) await symlink('busybox', join(rootfs, 'usr/bin', name));
    await symlink('usr/bin', join(rootfs, 'bin'));
    for (const [name, text] of Object.entries({
      shadow: 'root:x',
      passwd: 'theirs:x:1:1::/:',
      release: 'bare 1',
      'ssh/key': 'x',
    })) {
      await writeFile(join(rootfs, 'etc', name), text);
    }
    await chmod(rootfs, 0o755);
    box = await Sandboxed.make({ rootfs });
  });
  afterAll(async () => {
    await box.remove();
    await rm(rootfs, { recursive: true });
  });

  test('a job sees that, and nothing of the host', async () => {
    const mounts = [{ host: box.work, inside: '/home/vcap/app', writable: true }];
    const script =
      'id -un; ls /; ls /usr/bin /etc; cat /etc/release; touch /home/vcap/app/made; touch /opt/x || touch /usr/x';
    const { out, code } = await box.run('', { argv: ['/bin/sh', '-c', script], mounts, cwd: '/home/vcap/app' });
    const lines = out.split('\n');
    expect(lines[0]).toBe('vcap');
    expect(lines.slice(1, 11)).toEqual(['bin', 'dev', 'etc', 'home', 'opt', 'proc', 'run', 'tmp', 'usr', '/etc:']);
    expect(out).not.toMatch(/shadow|ssh|node/);
    expect(out).toContain('bare 1');
    expect(code).toBe(1);
  });
});

describe('in a root tree from a tar', () => {
  let dir: string;
  let tar: string;
  const unpacked = (): Promise<string> => rootTree(tar, join(dir, 'unpacked'));
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'unik-rootfs-'));
    await chmod(dir, 0o755);
    tar = join(dir, 'root.tar.gz');
    const tree = join(dir, 'tree');
    for (const folder of ['usr/bin', 'dev', 'etc', 'secret']) await mkdir(join(tree, folder), { recursive: true });
    await copyFile(BUSYBOX, join(tree, 'usr/bin/busybox'));
    await symlink('busybox', join(tree, 'usr/bin/sh'));
    await symlink('usr/bin', join(tree, 'bin'));
    await writeFile(join(tree, 'etc/release'), 'tarred 1', { mode: 0o600 });
    await chmod(join(tree, 'secret'), 0o700);
    if (process.getuid?.() === 0) await run('mknod', [join(tree, 'dev/disk'), 'b', '254', '0']);
    await run('tar', ['-czf', tar, '-C', tree, '.']);
  });
  afterAll(() => rm(dir, { recursive: true }));

  test('it is unpacked once, without devices, and jobs see it', async () => {
    const rootfs = await unpacked();
    const before = await stat(rootfs);
    expect(await readdir(join(rootfs, 'dev'))).toEqual([]);
    expect(await unpacked()).toBe(rootfs);
    expect((await stat(rootfs)).ino).toBe(before.ino);
    const box = await Sandboxed.make({ rootfs });
    const { out } = await box.run('', { argv: ['/bin/sh', '-c', 'busybox cat /etc/release; busybox id -un'] });
    await box.remove();
    expect(out).toBe('tarred 1vcap\n');
  });

  test('another tar takes the place of the one before, and what a killed process left goes', async () => {
    const first = await unpacked();
    await mkdir(`${first}.0123`);
    await run('tar', ['-cf', tar, '-C', join(dir, 'tree'), './etc']);
    const second = await unpacked();
    expect(second).not.toBe(first);
    expect(await readdir(join(dir, 'unpacked'))).toEqual([second.replace(/^.*\//, '')]);
  });

  test.each([
    ['no tar', async () => writeFile(tar, 'x'.repeat(4096))],
    ['nothing', async () => rm(tar)],
  ])('being %s, it is refused', async (_why, spoil) => {
    await spoil();
    await expect(unpacked()).rejects.toMatchObject({ code: 'config_invalid' });
    expect((await readdir(join(dir, 'unpacked'))).length).toBeLessThan(2);
  });
});

test('a limit that the kernel enforces is noticed, in either version of control groups', async () => {
  const base = await mkdtemp(join(tmpdir(), 'unik-groups-'));
  const parent = (version: 1 | 2): { memory: { folder: string; version: 1 | 2 }; why: object } => ({
    memory: { folder: join(base, String(version)), version },
    why: {},
  });
  for (const [version, file, before, after] of [
    [
      1,
      'memory.oom_control',
      'oom_kill_disable 0\nunder_oom 0\noom_kill 0\n',
      'oom_kill_disable 0\nunder_oom 0\noom_kill 2\n',
    ],
    [2, 'memory.events', 'low 0\nmax 9\noom 1\noom_kill 0\n', 'low 0\nmax 9\noom 1\noom_kill 1\n'],
  ] as const) {
    await mkdir(join(base, String(version)));
    const groups = groupsOf('job', parent(version), TIGHT, 3);
    expect(groups.folders).toEqual([join(base, String(version), 'job')]);
    await groups.make();
    expect(await groups.struck()).toBeUndefined();
    const path = join(base, String(version), 'job', file);
    await writeFile(path, before);
    expect(await groups.struck()).toBeUndefined();
    await writeFile(path, after);
    expect(await groups.struck()).toBe('memory');
  }
  await rm(base, { recursive: true });
});
