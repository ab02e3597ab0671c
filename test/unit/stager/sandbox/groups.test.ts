import { describe, expect, test } from '@jest/globals';
import { hierarchies, settings } from '../../../../stager/sandbox/groups.js';
import { limitsFinding } from '../../../../stager/sandbox/examine.js';

const limits = { memory_mb: 64, pids: 10, wall_ms: 1, disk_mb: 1, output_bytes: 1, nofile: 1 };

describe('hierarchies of control groups', () => {
  test('version 2', () => {
    const mountinfo =
      '30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n22 1 8:1 / / rw - ext4 /dev/sda1 rw\n';
    expect(hierarchies(mountinfo, '0::/system.slice/unik.service\n')).toEqual([
      { version: 2, controllers: [''], mount: '/sys/fs/cgroup', own: '/system.slice/unik.service' },
    ]);
  });

  test('version 1, with two controllers in one', () => {
    const mountinfo = [
      '33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct',
      '35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory',
      '40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd',
      '41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw',
    ].join('\n');
    const cgroup = '5:cpu,cpuacct:/a\n4:memory:/user/1\n1:name=systemd:/s\n0::/\n';
    expect(hierarchies(mountinfo, cgroup)).toEqual([
      { version: 1, controllers: ['cpu', 'cpuacct'], mount: '/sys/fs/cgroup/cpu,cpuacct', own: '/a' },
      { version: 1, controllers: ['memory'], mount: '/sys/fs/cgroup/memory', own: '/user/1' },
      { version: 1, controllers: ['name=systemd'], mount: '/sys/fs/cgroup/systemd', own: '/s' },
      { version: 2, controllers: [''], mount: '/sys/fs/cgroup/unified', own: '/' },
    ]);
  });

  test('a part of one, mounted in a container', () => {
    const mountinfo = '30 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n';
    expect(hierarchies(mountinfo, '0::/docker/abc\n')[0]?.own).toBe('/');
    expect(hierarchies(mountinfo, '0::/docker/abc/unik\n')[0]?.own).toBe('/unik');
  });
});

test.each([
  ['memory', 1, { 'memory.limit_in_bytes': '67108864', 'memory.memsw.limit_in_bytes': '67108864' }],
  ['memory', 2, { 'memory.max': '67108864', 'memory.swap.max': '0', 'memory.oom.group': '1' }],
  ['pids', 1, { 'pids.max': '13' }],
  ['pids', 2, { 'pids.max': '13' }],
] as const)('what is written for %s in version %i', (controller, version, files) => {
  expect(Object.fromEntries(settings(controller, version, limits, 3).map(([file, value]) => [file, value]))).toEqual(
    files,
  );
});

test('who keeps which limit is told', () => {
  const parent = { folder: '/sys/fs/cgroup', version: 2 } as const;
  expect(limitsFinding({ memory: parent, pids: parent, why: {} })).toMatchObject({
    status: 'ok',
    detail: expect.stringMatching(/^memory by control groups v2; processes by control groups v2;/) as unknown,
  });
  expect(limitsFinding({ pids: parent, why: { memory: 'not ours' } })).toMatchObject({
    status: 'warning',
    detail: expect.stringMatching(/^memory by a watcher \(not ours\); processes by control groups v2;/) as unknown,
  });
});
