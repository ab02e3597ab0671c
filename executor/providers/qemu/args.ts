import { createHash } from 'node:crypto';
import { UnikError } from '../../../core/errors.js';
import type { BootPlan } from '../../guests/guest.js';
import type { Arch, PortMapping } from '../../model.js';

/** File names inside the machine's own folder, which is QEMU's working directory: the command line names no other path. */
export const FILES = {
  kernel: 'kernel',
  initrd: 'initrd',
  scratch: (index: number) => `disk${index}.img`,
  overlay: (index: number) => `disk${index}.qcow2`,
  /** What the firmware hands to the guest. */
  firmware: 'config.bin',
  /** QMP sockets: one client each, so one for commands and one for events. */
  commands: 'q1',
  events: 'q2',
  config: 'c',
  serial: 'serial.log',
  out: 'out.log',
  err: 'err.log',
  control: 'control.log',
} as const;

/** How the machine's network device is wired on this side. */
export type NetDevice =
  | { kind: 'none' }
  /** An interface that exists already in QEMU's network namespace. */
  | { kind: 'tap'; ifname: string; mac?: string }
  /** QEMU's own stack: the published ports and nothing else. */
  | { kind: 'restricted'; ports: readonly PortMapping[] };

export interface QemuArgsInput {
  /** Names the process (15 characters count) and the machine. */
  key: string;
  boot: Pick<BootPlan, 'cmdline' | 'disks' | 'channels' | 'cpuFeatures' | 'exitPort' | 'noEntropy'> & {
    /** Absent: x86_64. */
    arch?: Arch;
    /** Absent: yes. */
    kernel?: boolean;
    initrd?: boolean;
    /** The command line is given before the machine is built, by who knows it. */
    waits?: boolean;
  };
  ram_mb: number;
  cpus: number;
  accelerator: Accelerator;
  net: NetDevice;
}

export type Accelerator = 'kvm' | 'tcg';

/** Megabytes of translated code that QEMU may keep per machine; part of `overheadMb`. */
export const TRANSLATION_BUFFER_MB = 32;

/** Every machine has a network of its own, so all may have one address; devices then depend on image and size only. */
export const GUEST_MAC = '02:75:6e:69:6b:01';

/**
 * QEMU's arguments: a pure function of image, size and ports (design section 5). Nothing of the instance
 * config is here: a command line can be read by everybody on the host.
 */
export function qemuArgs(input: QemuArgsInput): string[] {
  return [
    ...machine(input),
    ...boot(input),
    ...serial(),
    ...(input.boot.channels.kind === 'virtio-serial' ? channels() : []),
    ...(input.boot.channels.kind === 'firmware' ? firmware() : []),
    ...exitPort(input.boot.exitPort),
    ...input.boot.disks.flatMap((each, index) => disk(each, index, input.boot.kernel === false)),
    ...network(input.net),
    ...(input.boot.noEntropy ? [] : ['-device', 'virtio-rng-pci']),
    ...qmp(FILES.commands),
    ...qmp(FILES.events),
  ];
}

/**
 * microvm hung at random under emulation; pc never did. Of arm64's processors the newest emulated one spends its time on
 * signed pointers.
 */
const MACHINE: Record<Arch, { type: string; cpu: string }> = {
  x86_64: { type: 'pc', cpu: 'max' },
  aarch64: { type: 'virt', cpu: 'cortex-a72' },
};

/** What emulates, or runs, a machine for this processor. */
export const PROGRAMS: Record<Arch, string> = { x86_64: 'qemu-system-x86_64', aarch64: 'qemu-system-aarch64' };

function machine({ key, ram_mb, cpus, accelerator, boot }: QemuArgsInput): string[] {
  const { arch = 'x86_64' } = boot;
  const cpu = accelerator === 'kvm' ? 'host' : MACHINE[arch].cpu;
  return [
    ...['-name', `guest=${option(key)},process=${processName(key)}`],
    ...['-uuid', uuidOf(key)],
    ...['-M', MACHINE[arch].type],
    ...['-accel', accelerator === 'kvm' ? 'kvm' : `tcg,tb-size=${TRANSLATION_BUFFER_MB}`],
    ...['-cpu', [cpu, ...(boot.cpuFeatures ?? []).map((name) => `+${name}`)].join(',')],
    ...['-m', String(ram_mb)],
    ...['-smp', String(cpus)],
    ...['-nodefaults', '-no-user-config', '-no-reboot'],
    ...['-display', 'none'],
    ...['-rtc', 'base=utc'],
    ...['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'],
  ];
}

function boot({ boot }: QemuArgsInput): string[] {
  if (boot.kernel === false) return [];
  const start = ['-kernel', FILES.kernel, ...(boot.initrd ? ['-initrd', FILES.initrd] : [])];
  return boot.waits ? ['-preconfig', ...start] : [...start, '-append', boot.cmdline];
}

function serial(): string[] {
  return [...fileChardev('serial', FILES.serial), '-serial', 'chardev:serial'];
}

/** The four ports of docs/guest-protocol.md. */
function channels(): string[] {
  return [
    ...['-device', 'virtio-serial-pci'],
    ...['-chardev', `socket,id=config,path=${FILES.config},server=on,wait=off`],
    ...fileChardev('control', FILES.control),
    ...fileChardev('out', FILES.out),
    ...fileChardev('err', FILES.err),
    ...['config', 'control', 'out', 'err'].flatMap((id) => ['-device', `virtserialport,chardev=${id},name=unik.${id}`]),
  ];
}

/** Three more serial ports, which `guests/unikraft/launch` writes to, and the file that it reads. */
function firmware(): string[] {
  return [
    ...(['control', 'out', 'err'] as const).flatMap((id) => [
      ...fileChardev(id, FILES[id]),
      '-serial',
      `chardev:${id}`,
    ]),
    ...['-fw_cfg', `name=opt/unik/config,file=${FILES.firmware}`],
  ];
}

function exitPort(port: number | undefined): string[] {
  return port === undefined ? [] : ['-device', `isa-debug-exit,iobase=0x${port.toString(16)},iosize=4`];
}

function fileChardev(id: string, path: string): string[] {
  return ['-chardev', `file,id=${id},path=${path},append=on`];
}

function disk(disk: BootPlan['disks'][number], index: number, isBooted: boolean): string[] {
  const id = `d${index}`;
  if (disk.source.kind === 'overlay') {
    const drive = `if=none,id=${id},file=${FILES.overlay(index)},format=qcow2,cache=unsafe,discard=unmap,backing.file.locking=off`;
    // A kernel beside it is what the firmware starts first.
    const order = isBooted ? `,bootindex=${index}` : '';
    return ['-drive', drive, '-device', `virtio-blk-pci,drive=${id},num-queues=1${order}`];
  }
  const common = `if=none,id=${id},file=${FILES.scratch(index)},format=raw`;
  // A shared root is never written, so its lock only gets in the way; scratch is thrown away, so it need not be flushed.
  const how = disk.readonly ? 'readonly=on,file.locking=off' : 'cache=unsafe,discard=unmap,detect-zeroes=unmap';
  return ['-drive', `${common},${how}`, '-device', `virtio-blk-pci,drive=${id},num-queues=1`];
}

function network(net: NetDevice): string[] {
  if (net.kind === 'none') return [];
  const { mac = GUEST_MAC } = net.kind === 'tap' ? net : {};
  return ['-netdev', netdev(net), '-device', `virtio-net-pci,netdev=n0,mac=${mac},romfile=`];
}

function netdev(net: Exclude<NetDevice, { kind: 'none' }>): string {
  if (net.kind === 'tap') return `tap,id=n0,ifname=${net.ifname},script=no,downscript=no`;
  const forwards = net.ports.map((p) => `hostfwd=${p.protocol}:${p.host_address}:${p.host_port}-:${p.guest_port}`);
  return ['user,id=n0,restrict=on', ...forwards].join(',');
}

function qmp(socket: string): string[] {
  return ['-qmp', `unix:${socket},server=on,wait=off`];
}

/** What `ps` and /proc/PID/comm show. */
export function processName(key: string): string {
  return `unik-${option(key)}`.slice(0, 15);
}

/** The key itself where it is a UUID, else one made from it. */
function uuidOf(key: string): string {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(key)) return key;
  const hex = createHash('sha256').update(key).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
}

/** Keys become file names and QEMU option values: letters, digits and `._-` only, at most 128. Else bad_request. */
export function option(key: string): string {
  if (/^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/.test(key)) return key;
  throw new UnikError('bad_request', `machine key ${JSON.stringify(key)}: only letters, digits and ._- are allowed`);
}
