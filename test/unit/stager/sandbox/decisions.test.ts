import { describe, expect, test } from '@jest/globals';
import { bwrapArgs } from '../../../../stager/sandbox/bwrap-args.js';
import { checkJob } from '../../../../stager/sandbox/check-job.js';
import { ending } from '../../../../stager/sandbox/ending.js';
import type { SandboxJob } from '../../../../stager/sandbox/sandbox.js';
import { readRollup, readStatus } from '../../../../stager/sandbox/usage.js';
import { exceeded, isShort } from '../../../../stager/sandbox/watch.js';

const MB = 1024 * 1024;
const limits = { memory_mb: 64, pids: 10, wall_ms: 1500, disk_mb: 8, output_bytes: 100, nofile: 20 };
const job = (change: Partial<SandboxJob> = {}): SandboxJob => ({
  id: 'a1',
  argv: ['/bin/true'],
  env: {},
  cwd: '/',
  mounts: [],
  limits,
  network: { kind: 'off' },
  output: () => undefined,
  ...change,
});

describe('arguments of bubblewrap', () => {
  const args = (change: Partial<SandboxJob> = {}, network = false): string =>
    bwrapArgs({
      view: [
        { at: '/usr', host: '/usr' },
        { at: '/bin', link: 'usr/bin' },
      ],
      files: ['/etc/passwd'],
      job: job(change),
      env: { A: '1' },
      network,
    }).join(' ');

  test('every namespace, nothing kept, nothing writable but what is given', () => {
    const all = args();
    for (const wanted of ['user', 'pid', 'ipc', 'uts', 'cgroup', 'net']) expect(all).toContain(`--unshare-${wanted}`);
    for (const wanted of [
      '--disable-userns',
      '--cap-drop ALL',
      '--new-session',
      '--die-with-parent',
      '--clearenv',
      '--seccomp 4',
    ]) {
      expect(all).toContain(wanted);
    }
    expect(all).toContain('--ro-bind /usr /usr --symlink usr/bin /bin');
    expect(all).not.toMatch(/--(dev-)?bind /);
    expect(all).toMatch(/--remount-ro \/ --chdir \/$/);
  });

  test('a network that was made for it is kept', () => {
    expect(args({}, true)).not.toContain('--unshare-net');
  });

  test('a folder comes before what is mounted in it, whatever the order', () => {
    const mounts = [
      { host: '/b', inside: '/home/vcap/app/cache', writable: true },
      { host: '/a', inside: '/home/vcap/app', writable: false },
    ];
    expect(args({ mounts })).toContain('--ro-bind /sys/2 /home/vcap/app --bind /sys/1 /home/vcap/app/cache');
  });

  test('folders in memory are small, and give way to a mount', () => {
    expect(args()).toContain(`--size ${8 * MB} --tmpfs /dev/shm`);
    expect(args()).toContain(`--size ${8 * MB} --tmpfs /tmp`);
    expect(args({ mounts: [{ host: '/t', inside: '/tmp', writable: true }] })).not.toContain('--tmpfs /tmp');
  });

  test('the environment of the job wins', () => {
    expect(args({ env: { A: '2' } })).toContain('--setenv A 2');
  });
});

describe('what is no job', () => {
  test.each<[what: string, change: Partial<SandboxJob>]>([
    ['an id that is a path', { id: '../x' }],
    ['an id that begins with a dot', { id: '.x' }],
    ['nothing to run', { argv: [] }],
    ['a zero byte in an argument', { argv: ['/bin/echo', 'a\0--bind\0/'] }],
    ['a zero byte in the environment', { env: { A: 'x\0--share-net' } }],
    ['a name with =', { env: { 'A=B': '1' } }],
    ['a relative folder', { cwd: 'work' }],
    ['a limit of nothing', { limits: { ...limits, memory_mb: 0 } }],
    ['a limit that is no number', { limits: { ...limits, pids: NaN } }],
    ['a mount over the root', { mounts: [{ host: '/usr', inside: '/', writable: false }] }],
    ['a mount over /etc', { mounts: [{ host: '/usr', inside: '/etc/ssl', writable: false }] }],
    ['a mount over /proc', { mounts: [{ host: '/usr', inside: '/proc/1', writable: false }] }],
    ['a mount with dots', { mounts: [{ host: '/usr', inside: '/work/../etc', writable: false }] }],
    ['a link', { mounts: [{ host: '/proc/self', inside: '/work', writable: false }] }],
    ['a device', { mounts: [{ host: '/dev/null', inside: '/work', writable: false }] }],
    ['what is not there', { mounts: [{ host: '/no/such', inside: '/work', writable: false }] }],
    ['a relative host path', { mounts: [{ host: 'stager', inside: '/work', writable: false }] }],
  ])('%s', async (_what, change) => {
    await expect(checkJob(job(change))).rejects.toMatchObject({ code: 'bad_request' });
  });

  test('but this is one', async () => {
    await expect(
      checkJob(job({ mounts: [{ host: '/usr', inside: '/work', writable: false }] })),
    ).resolves.toBeUndefined();
  });
});

test.each([
  [{ tasks: 10, memory_bytes: 64 * MB }, undefined],
  [{ tasks: 11, memory_bytes: 0 }, 'pids'],
  [{ tasks: 1, memory_bytes: 64 * MB + 1 }, 'memory'],
] as const)('%p is over by %p', (usage, over) => {
  expect(exceeded(usage, limits)).toBe(over);
});

test('memory as the kernel tells it', () => {
  const status =
    'Name:\tx\nVmRSS:\t   9999 kB\nRssAnon:\t    100 kB\nRssFile:\t   5000 kB\nRssShmem:\t     20 kB\nThreads:\t7\n';
  expect(readStatus(status)).toEqual({ threads: 7, bytes: 120 * 1024 });
  expect(readStatus('')).toEqual({ threads: 0, bytes: 0 });
  const rollup = 'Rss:  500 kB\nPss:  300 kB\nPss_Anon:  70 kB\nPss_File:  200 kB\nPss_Shmem:  30 kB\n';
  expect(readRollup(rollup)).toBe(100 * 1024);
});

test.each([
  ['itself', { code: 0, words: '' }, { code: 0, ended_by: 'itself', message: 'ended with exit status 0' }],
  [
    'itself',
    { code: 137, words: '' },
    { code: 137, signal: 'SIGKILL', ended_by: 'itself', message: 'ended by signal SIGKILL' },
  ],
  [
    'itself',
    { signal: 'SIGKILL', words: '' },
    { signal: 'SIGKILL', ended_by: 'itself', message: 'the sandbox was ended from outside by SIGKILL' },
  ],
  ['timeout', { code: 0, words: '' }, { ended_by: 'timeout', message: 'took longer than its limit of 1.5 s' }],
  ['output', { words: '' }, { ended_by: 'output', message: 'printed more than its limit of 100 bytes' }],
] as const)('ended by %s with %p', (by, end, told) => {
  expect(ending(by, limits, end)).toEqual(told);
});

test.each([
  ['plenty', 24_000_000, 20_000_000, false],
  ['little, of much', 24_000_000, 120_000, true],
  ['little, of little', 1_000_000, 30_000, false],
  ['none', 1_000_000, 19_000, true],
])('a host with %s', (_what, total, available, short) => {
  expect(isShort(`MemTotal:  ${total} kB\nMemFree:  1 kB\nMemAvailable:  ${available} kB\n`)).toBe(short);
});
