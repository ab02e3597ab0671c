import { describe, expect, test } from '@jest/globals';
import { bootSector } from '../../../executor/providers/qemu/accel.js';
import { establishedFlows } from '../../../executor/providers/qemu/net/isolated.js';
import { fixFor } from '../../../executor/providers/qemu/probe.js';
import { parseUsage } from '../../../executor/providers/qemu/usage.js';

test('the boot sector is one', () => {
  const sector = bootSector();
  expect([sector.length, sector.readUInt16LE(510)]).toEqual([512, 0xaa55]);
});

// As QEMU 7.2 prints it.
const TABLE = `Hub -1 (n0):
  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ
  TCP[ESTABLISHED]   88       127.0.0.1 33347       10.0.2.15  8080     0     0
  TCP[SYN_SENT]      89       127.0.0.1 33347       10.0.2.15  8080     0     0
  TCP[ESTABLISHED]   90       127.0.0.1 33348       10.0.2.15  8080     0     0
  TCP[HOST_FORWARD]  15       127.0.0.1 33347       10.0.2.15  8080     0     0
`;
test('flows through QEMU are counted by host port, established ones only', () => {
  expect(establishedFlows(TABLE, 33347)).toEqual(['88']);
});

test('use is read from /proc, whatever the process is called', () => {
  const stat = '7 (a b) c) S 1 7 7 0 -1 4194560 1 2 3 4 250 50 0 0 20 0 4 0 99 1 2';
  expect(parseUsage(stat, 'Name:\tx\nVmRSS:\t    2048 kB\n')).toEqual({
    cpu_ns: 3_000_000_000,
    host_memory_bytes: 2048 * 1024,
  });
});

describe('what mends it', () => {
  test.each([
    ['/dev/net/tun does not exist', 'sudo modprobe tun'],
    ['/dev/net/tun may not be opened by this user', 'sudo chmod 666 /dev/net/tun'],
    ['slirp4netns failed: spawn ENOENT', 'sudo apt-get install -y slirp4netns'],
    ['unshare failed: exit code 127: sh: 3: nft: not found', 'sudo apt-get install -y nftables iproute2'],
    [
      'unshare failed: unshare: unshare failed: Operation not permitted',
      'sudo sysctl -w kernel.unprivileged_userns_clone=1',
    ],
  ])('%s', (reason, fix) => {
    expect(fixFor(reason)).toBe(fix);
  });
});
