import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { readdir } from 'node:fs/promises';
import { run } from '../../../../core/process.js';
import { Sandboxed, TIGHT } from '../../../support/sandboxed.js';

/** Most take a third of a second; a busy machine may take its time. */
jest.setTimeout(60_000);

let box: Sandboxed;
beforeAll(async () => {
  box = await Sandboxed.make();
});
afterAll(() => box.remove());

const python = (script: string): string => `exec python3 -c '${script}'`;

describe('ended as a whole', () => {
  test('a fork bomb', async () => {
    const { ended_by, message } = await box.run('bomb() { bomb | bomb & }; bomb; sleep 60');
    expect(ended_by).toBe('pids');
    expect(message).toBe('had more processes and threads than its limit of 64');
  });

  test('threads, which count as processes do', async () => {
    const script = 'import threading,time\nfor n in range(200): threading.Thread(target=time.sleep,args=(60,)).start()';
    expect((await box.run(python(script))).ended_by).toBe('pids');
  });

  test.each([
    ['memory of one process', 'b = bytearray()\nwhile True: b += bytes(1 << 20)'],
    [
      'memory shared by processes',
      'import mmap,os,time\nm = mmap.mmap(-1, 200 << 20)\nfor n in range(200): m[n << 20:(n + 1) << 20] = b"x" * (1 << 20)\ntime.sleep(60)',
    ],
    [
      'memory of many processes',
      'import os,time\nfor n in range(20): os.fork() or [bytearray(b"x" * (10 << 20)), time.sleep(60)]\ntime.sleep(60)',
    ],
    [
      'memory in files without a name',
      'import os,time\nfor n in range(20):\n f = os.memfd_create("m")\n os.write(f, b"x" * (10 << 20))\ntime.sleep(60)',
    ],
  ])('a hog of %s', async (_what, script) => {
    const end = await box.run(python(script));
    expect(end).toMatchObject({
      ended_by: 'memory',
      message: 'took more memory than its limit of 64 MB, or the host has none left',
    });
  });

  test.each([
    ['one file', 'head -c 100M /dev/zero >file; sleep 60'],
    ['many files', 'for n in $(seq 100); do head -c 1M /dev/zero >file$n; sleep 0.01; done; sleep 60'],
    [
      'files without a name',
      'for n in $(seq 10 30); do eval "exec $n>gone"; rm gone; head -c 1M /dev/zero >&$n; done; sleep 60',
    ],
    ['more than it may leave behind, in no time', 'for n in 1 2 3; do head -c 6M /dev/zero >quick$n; done'],
  ])('a filler of the disk with %s', async (_what, script) => {
    const filler = await Sandboxed.make();
    const end = await filler.run(script);
    const { stdout } = await run('du', ['-sm', filler.work]);
    await filler.remove();
    expect(end).toMatchObject({ ended_by: 'disk', message: 'wrote more than its limit of 16 MB, or the disk is full' });
    expect(parseInt(stdout)).toBeLessThan(110);
  });

  test('no file grows over the limit, and folders in memory have a size', async () => {
    const filler = await Sandboxed.make();
    const { out } = await filler.run(
      'for at in /tmp /dev/shm /work; do head -c 100M /dev/zero >$at/file 2>/dev/null; stat -c %s $at/file; rm $at/file; done',
    );
    await filler.remove();
    const sizes = out.trim().split('\n').map(Number);
    expect(sizes.slice(0, 2)).toEqual([16 << 20, 8 << 20]);
    // Or it was seen, and ended, before it could tell.
    expect(sizes[2] ?? 16 << 20).toBe(16 << 20);
  });

  test('endless output, of which no more than the limit is handed on', async () => {
    const { ended_by, out, err } = await box.run('yes & yes >&2 & wait');
    expect(ended_by).toBe('output');
    expect(out.length + err.length).toBe(TIGHT.output_bytes);
  });

  test('an endless loop, deaf to signals', async () => {
    const { ended_by, message } = await box.run('trap "" TERM INT HUP; while :; do sleep 0.1; done', {
      limits: { ...TIGHT, wall_ms: 500 },
    });
    expect([ended_by, message]).toEqual(['timeout', 'took longer than its limit of 0.5 s']);
  });

  test('what its caller cancels', async () => {
    const stop = new AbortController();
    const end = await box.run('setsid sleep 60 & echo up; wait', { output: () => stop.abort() }, stop.signal);
    expect(end).toEqual({ ended_by: 'cancelled', message: 'cancelled', out: 'up\n', err: '' });
    expect((await box.run('true', {}, stop.signal)).ended_by).toBe('cancelled');
  });

  test('a job whose output nobody can take', async () => {
    const output = (): never => {
      throw new Error('the log is closed');
    };
    await expect(box.run('echo up; sleep 60', { output })).rejects.toMatchObject({
      code: 'internal',
      message: 'the log is closed',
    });
  });

  test('no job gets more open files than allowed, or goes before the machines', async () => {
    const { out } = await box.run('ulimit -n; ulimit -Hn; ulimit -c; nice; cat /proc/self/oom_score_adj');
    expect(out).toBe('256\n256\n0\n10\n1000\n');
  });
});

test('nothing of all that is left', async () => {
  expect(await readdir(box.jobs)).toEqual([]);
  const groups = await readdir('/sys/fs/cgroup/pids').catch(() => []);
  expect(groups.filter((name) => name.startsWith('unik-staging-job-'))).toEqual([]);
});
