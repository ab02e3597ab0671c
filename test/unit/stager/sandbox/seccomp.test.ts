import { describe, expect, test } from '@jest/globals';
import { BPF, encode, ERRNO, filter, RET } from '../../../../stager/sandbox/seccomp.js';
import { ARCHITECTURES, EXAMINED, FORBIDDEN, numbersOn, type Arch } from '../../../../stager/sandbox/syscalls.js';

interface Call {
  number: number;
  audit?: number;
  args?: number[];
}

/** What the kernel would answer: runs the encoded bytes over a struct seccomp_data. */
function verdict(program: Buffer, arch: Arch, { number, audit = ARCHITECTURES[arch].audit, args = [] }: Call): number {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(number, 0);
  data.writeUInt32LE(audit, 4);
  args.forEach((value, index) => data.writeBigUInt64LE(BigInt(value), 16 + 8 * index));
  let accumulator = 0;
  for (let at = 0; at < program.length;) {
    const [code, jt, jf, k] = [
      program.readUInt16LE(at),
      program.readUInt8(at + 2),
      program.readUInt8(at + 3),
      program.readUInt32LE(at + 4),
    ];
    at += 8;
    const jump = (holds: boolean): number => 8 * (holds ? jt : jf);
    if (code === BPF.load) accumulator = data.readUInt32LE(k);
    else if (code === BPF.jeq) at += jump(accumulator === k);
    else if (code === BPF.jge) at += jump(accumulator >= k);
    else if (code === BPF.jset) at += jump((accumulator & k) !== 0);
    else if (code === BPF.ret) return k;
    else throw new Error(`instruction ${code} at ${at}`);
  }
  throw new Error('the program ran out of its end');
}

const x64 = encode(filter('x64'));
const arm64 = encode(filter('arm64'));
const EPERM = RET.errno(ERRNO.EPERM);
const ENOSYS = RET.errno(ERRNO.ENOSYS);

describe('the filter on x86_64', () => {
  test.each<[what: string, call: Call, answer: number]>([
    ['read', { number: 0 }, RET.allow],
    ['execve', { number: 59 }, RET.allow],
    ['fork', { number: 57 }, RET.allow],
    ['the highest number there may be', { number: 0x3fffffff }, RET.allow],
    ['mount', { number: 165 }, EPERM],
    ['ptrace', { number: 101 }, EPERM],
    ['keyctl', { number: 250 }, EPERM],
    ['bpf', { number: 321 }, EPERM],
    ['perf_event_open', { number: 298 }, EPERM],
    ['kexec_load', { number: 246 }, EPERM],
    ['unshare', { number: 272 }, EPERM],
    ['setns', { number: 308 }, EPERM],
    ['a thread', { number: 56, args: [0x3d0f00] }, RET.allow],
    ['a process in a user namespace', { number: 56, args: [0x10000011] }, EPERM],
    ['a process in a network namespace', { number: 56, args: [0x40000011] }, EPERM],
    ['a process in a mount namespace', { number: 56, args: [0x20011] }, EPERM],
    ['clone3, whose flags cannot be seen', { number: 435 }, ENOSYS],
    ['io_uring_setup', { number: 425 }, ENOSYS],
    ['a TCP socket', { number: 41, args: [2, 1] }, RET.allow],
    ['a Unix socket', { number: 41, args: [1, 1] }, RET.allow],
    ['a vsock', { number: 41, args: [40, 1] }, RET.errno(ERRNO.EAFNOSUPPORT)],
    ['a packet socket', { number: 41, args: [17, 3] }, RET.errno(ERRNO.EAFNOSUPPORT)],
    ['ioctl TCGETS', { number: 16, args: [0, 0x5401] }, RET.allow],
    ['ioctl TIOCSTI', { number: 16, args: [0, 0x5412] }, EPERM],
    ['ioctl TIOCSTI behind high bits', { number: 16, args: [0, 0x100005412] }, EPERM],
    ['x32 read', { number: 0x40000000 }, ENOSYS],
    ['x32 ptrace', { number: 0x40000000 + 521 }, ENOSYS],
    ['a 32-bit call', { number: 3, audit: 0x40000003 }, RET.kill],
  ])('%s', (_what, call, answer) => {
    expect(verdict(x64, 'x64', call)).toBe(answer);
  });

  test('refuses exactly what the tables name', () => {
    const refused = Array.from({ length: 1024 }, (_, number) => number).filter(
      (number) => verdict(x64, 'x64', { number, args: [1] }) === EPERM,
    );
    expect(refused).toEqual(numbersOn('x64', FORBIDDEN));
  });
});

describe('the filter on aarch64', () => {
  test.each<[what: string, call: Call, answer: number]>([
    ['read', { number: 63 }, RET.allow],
    ['mount', { number: 40 }, EPERM],
    ['what is mount on x86_64', { number: 165 }, RET.allow],
    ['a process in a user namespace', { number: EXAMINED.clone[1], args: [0x10000011] }, EPERM],
    ['a vsock', { number: EXAMINED.socket[1], args: [40] }, RET.errno(ERRNO.EAFNOSUPPORT)],
    ['a 32-bit call', { number: 3, audit: 0x40000028 }, RET.kill],
  ])('%s', (_what, call, answer) => {
    expect(verdict(arm64, 'arm64', call)).toBe(answer);
  });
});

test('a filter fits what the kernel takes, and every jump stays inside', () => {
  for (const arch of ['x64', 'arm64'] as const) {
    const program = filter(arch);
    expect(program.length).toBeLessThan(4096);
    const ends = program.map(({ code, jt, jf }, index) => (code === BPF.ret ? index : index + 1 + Math.max(jt, jf)));
    expect(Math.max(...ends)).toBe(program.length - 1);
  }
});
