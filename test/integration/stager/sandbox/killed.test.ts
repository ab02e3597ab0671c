import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { build } from 'esbuild';
import { execa } from 'execa';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { isAlive } from '../../../../core/process.js';
import { processesIn } from '../../../../stager/sandbox/groups.js';
import { JOB_FILES, type JobRecord } from '../../../../stager/sandbox/records.js';
import { Sandboxed } from '../../../support/sandboxed.js';

/** Most take a third of a second; a busy machine may take its time. */
jest.setTimeout(60_000);

const isRoot = process.getuid?.() === 0;
let program: string;
let programs: Sandboxed;
beforeAll(async () => {
  programs = await Sandboxed.make();
  program = join(programs.base, 'job.mjs');
  await build({
    entryPoints: ['test/support/sandbox-job.ts'],
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'esm',
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });
}, 60_000);
afterAll(() => programs.remove());

async function until(what: () => Promise<boolean>): Promise<void> {
  for (let left = 100; left > 0 && !(await what()); left--) await delay(50);
  expect(await what()).toBe(true);
}

async function processesBelow(marker: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
  return lines.filter((line) => line.includes(marker));
}

describe.each(['off', 'filtered'])('killed in the middle of a job with network %s', (network) => {
  test('we leave no process, and a sweep leaves nothing at all', async () => {
    const box = await Sandboxed.make();
    // Numbers that no other process on this host sleeps for.
    const marker = `9${process.pid}.${network === 'off' ? 1 : 2}`;
    const script = `setsid sleep ${marker} & trap "" TERM HUP INT; echo up; sleep ${marker}; sleep ${marker}`;
    const child = spawn(process.execPath, [program, box.base, network, script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(createInterface({ input: child.stdout }), 'line');
    const [id = ''] = await readdir(box.jobs);
    const record = JSON.parse(await readFile(join(box.jobs, id, JOB_FILES.record), 'utf8')) as JobRecord;
    expect(record.processes).toHaveLength(network === 'off' ? 2 : 3);
    await until(async () => (await processesBelow(`sleep\0${marker}`)).length === 2);

    // What is ours and alive is not swept; and the kernel counts it where it lets us.
    const grouped = await processesIn(record.groups);
    expect(record.groups.length > 0).toBe(grouped.includes(record.processes[0]?.pid ?? 0));
    await box.sandbox.sweep();
    expect(await processesBelow(`sleep\0${marker}`)).toHaveLength(2);

    child.kill('SIGKILL');
    await once(child, 'exit');
    await until(async () => (await processesBelow(marker)).length === 0);
    await until(async () => !(await Promise.all(record.processes.map(isAlive))).includes(true));
    expect(await readdir(box.jobs)).toEqual([id]);
    await box.sandbox.sweep();
    expect(await readdir(box.jobs)).toEqual([]);
    for (const group of record.groups) await expect(stat(group)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await readFile('/proc/self/mountinfo', 'utf8')).not.toContain(box.base);
    await box.remove();
  }, 30_000);
});

if (!isRoot) console.log('skipped: the ordinary-user test takes another account, which needs root');
(isRoot ? describe : describe.skip)('an ordinary user', () => {
  const UID = 1_234_568;
  /** In a mount namespace of its own: whether ordinary users may open /dev/net/tun differs between hosts. */
  const AS_USER = `
    mount -t tmpfs -o mode=755 unik /dev/net
    mknod -m 666 /dev/net/tun c 10 200
    exec setpriv --reuid ${UID} --regid ${UID} --clear-groups --inh-caps=-all "$@"`;
  let box: Sandboxed;
  beforeAll(async () => {
    box = await Sandboxed.make();
    for (const path of [box.base, box.work]) await chown(path, UID, UID);
    await chown(programs.base, UID, UID);
    await mkdir(join(box.base, 'closed'), { mode: 0o700 });
  });
  afterAll(() => box.remove());

  const asUser = async (network: string, script: string): Promise<string> => {
    const args = ['--mount', 'sh', '-ec', AS_USER, 'sh', process.execPath, program, box.base, network, script];
    return (await execa('unshare', args, { cwd: '/' })).stdout;
  };

  test.each(['off', 'filtered'])(
    'gets the same with network %s',
    async (network) => {
      const said = await asUser(
        network,
        'id -u; echo made >file; cat /proc/self/status | grep -E "CapBnd|NoNew|Seccomp:"; unshare -U true || exit 7',
      );
      const lines = said.split('\n');
      expect(lines[0]).toBe('2000');
      expect(said).toContain('CapBnd:\t0000000000000000');
      expect(said).toContain('Seccomp:\t2');
      expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ end: { code: 7, ended_by: 'itself' } });
      expect((await stat(join(box.work, 'file'))).uid).toBe(UID);
      expect(await readdir(box.jobs)).toEqual([]);
    },
    30_000,
  );

  test('and the same limits', async () => {
    const bomb = await asUser('off', 'bomb() { bomb | bomb & }; bomb 2>/dev/null; sleep 60');
    expect(JSON.parse(bomb.split('\n').at(-1) ?? '')).toMatchObject({ end: { ended_by: 'pids' } });
    const hog = await asUser('off', 'exec python3 -c "bytearray(b\'x\' * (200 << 20)); import time; time.sleep(60)"');
    expect(JSON.parse(hog.split('\n').at(-1) ?? '')).toMatchObject({ end: { ended_by: 'memory' } });
  }, 30_000);
});

describe('where it cannot confine', () => {
  test('it refuses, says why, and runs nothing', async () => {
    const box = await Sandboxed.make({ path: '/nowhere' });
    await expect(box.run('echo ran >file')).rejects.toMatchObject({ code: 'sandbox_unavailable' });
    expect(await readdir(box.work)).toEqual([]);
    expect(await readdir(box.jobs)).toEqual([]);
    const findings = await box.sandbox.doctor();
    expect(findings.map(({ name, status }) => [name, status])).toEqual([
      ['staging sandbox', 'error'],
      ['staging network', 'error'],
      ['staging limits', expect.stringMatching(/ok|warning/)],
    ]);
    await box.remove();
  });

  test('a bubblewrap that cannot do all that is asked is not asked for less', async () => {
    const tools = join(programs.base, 'tools');
    await mkdir(tools);
    await writeFile(
      join(tools, 'bwrap'),
      '#!/bin/sh\necho "bwrap: No permissions to create new namespace" >&2\nexit 1\n',
    );
    await chmod(join(tools, 'bwrap'), 0o755);
    await chmod(programs.base, 0o755);
    const box = await Sandboxed.make({ path: `${tools}:/usr/sbin:/usr/bin:/sbin:/bin` });
    const refused = box.run('echo ran >file');
    await expect(refused).rejects.toMatchObject({
      code: 'sandbox_unavailable',
      message: expect.stringContaining('No permissions to create new namespace') as unknown,
    });
    expect(await readdir(box.work)).toEqual([]);
    await box.remove();
  });
});
