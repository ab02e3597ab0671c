import { ABSENT, ARCHITECTURES, EXAMINED, FORBIDDEN, numbersOn, type Arch, type Architecture } from './syscalls.js';

/** One instruction of the kernel's classic BPF: struct sock_filter. */
export interface Instruction {
  code: number;
  /** How many instructions to skip when the comparison holds, and when not. */
  jt: number;
  jf: number;
  k: number;
}

/** Codes of linux/filter.h, of which the filter needs these. */
export const BPF = { load: 0x20, jeq: 0x15, jge: 0x35, jset: 0x45, ret: 0x06 } as const;

/** Offsets in struct seccomp_data. Arguments are 64 bits, low half first; what is compared here is 32 bits wide. */
const NUMBER = 0;
const ARCHITECTURE = 4;
const argument = (index: number): number => 16 + 8 * index;

export const RET = {
  kill: 0x80000000,
  allow: 0x7fff0000,
  errno: (errno: number): number => 0x00050000 | errno,
} as const;

export const ERRNO = { EPERM: 1, ENOSYS: 38, EAFNOSUPPORT: 97 } as const;

/** CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const CLONE_NEW = 0x80 | 0x20000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000;

/** AF_UNIX, AF_INET, AF_INET6, AF_NETLINK. Others, such as vsock, know no network namespace or are seldom read code. */
const FAMILIES = [1, 2, 10, 16];

/** TIOCSTI and TIOCLINUX put characters into a terminal as if typed. */
const TERMINAL_INPUT = [0x5412, 0x541c];

/** The filter every job runs under: what is not refused is allowed. */
export function filter(arch: Arch): Instruction[] {
  const machine: Architecture = ARCHITECTURES[arch];
  const [clone, socket, ioctl] = [EXAMINED.clone, EXAMINED.socket, EXAMINED.ioctl].map(([x64, arm64]) =>
    arch === 'x64' ? x64 : arm64,
  ) as [number, number, number];
  return [
    load(ARCHITECTURE),
    ...unless(machine.audit, RET.kill),
    load(NUMBER),
    ...(machine.foreign_from === undefined
      ? []
      : [{ code: BPF.jge, jt: 0, jf: 1, k: machine.foreign_from }, ret(RET.errno(ERRNO.ENOSYS))]),
    ...numbersOn(arch, FORBIDDEN).flatMap((number) => when(number, RET.errno(ERRNO.EPERM))),
    ...numbersOn(arch, ABSENT).flatMap((number) => when(number, RET.errno(ERRNO.ENOSYS))),
    ...examine(clone, [
      load(argument(0)),
      { code: BPF.jset, jt: 0, jf: 1, k: CLONE_NEW },
      ret(RET.errno(ERRNO.EPERM)),
      ret(RET.allow),
    ]),
    ...examine(socket, [
      load(argument(0)),
      ...FAMILIES.flatMap((family) => when(family, RET.allow)),
      ret(RET.errno(ERRNO.EAFNOSUPPORT)),
    ]),
    ...examine(ioctl, [
      load(argument(1)),
      ...TERMINAL_INPUT.flatMap((request) => when(request, RET.errno(ERRNO.EPERM))),
      ret(RET.allow),
    ]),
    ret(RET.allow),
  ];
}

/** As the kernel reads it, on a little-endian machine. */
export function encode(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(8 * program.length);
  program.forEach(({ code, jt, jf, k }, index) => {
    const at = 8 * index;
    bytes.writeUInt16LE(code, at);
    bytes.writeUInt8(jt, at + 2);
    bytes.writeUInt8(jf, at + 3);
    bytes.writeUInt32LE(k, at + 4);
  });
  return bytes;
}

function load(offset: number): Instruction {
  return { code: BPF.load, jt: 0, jf: 0, k: offset };
}

function ret(value: number): Instruction {
  return { code: BPF.ret, jt: 0, jf: 0, k: value };
}

function when(value: number, then: number): Instruction[] {
  return [{ code: BPF.jeq, jt: 0, jf: 1, k: value }, ret(then)];
}

function unless(value: number, then: number): Instruction[] {
  return [{ code: BPF.jeq, jt: 1, jf: 0, k: value }, ret(then)];
}

/** `body` returns on every path, since it overwrites the number that later comparisons need. */
function examine(number: number, body: readonly Instruction[]): Instruction[] {
  return [{ code: BPF.jeq, jt: 0, jf: body.length, k: number }, ...body];
}
