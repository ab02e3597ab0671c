import { crc32 } from '../../disks/crc32.js';
import type { ArmConfig, Board } from './config.js';

/** What a board fetches: text and bytes by name, beside kernel and initrd. */
export type BootFiles = ReadonlyMap<string, string | Uint8Array>;

export const KERNEL = 'vmlinuz';
export const INITRD = 'initrd';
/** The name by which the Raspberry Pi's loader asks for a 64-bit kernel. */
export const PI_KERNEL = 'kernel8.img';

/** The words of the kernel's command line that depend on the board. Pure. */
export function boardWords(board: Board, config: Pick<ArmConfig, 'server' | 'log_port'>): string[] {
  const { line, baud, power, console } = board;
  return [
    `console=${line},${baud}`,
    console.kind === 'udp' ? `unik.line=none unik.log=${config.server}:${config.log_port}` : `unik.line=${line}`,
    'unik.disk=memory unik.config=initrd',
    // Without power control it must come back by itself, to look for work.
    `unik.end=${power.kind === 'none' ? 'reboot' : 'poweroff'}`,
    ...(power.kind === 'none' ? ['panic=10'] : []),
  ];
}

/**
 * Where u-boot asks for a script first, it is told to go on: with room for unpacking the kernel, which some boards' settings
 * lack. A board that could not load begins anew.
 */
const START = [
  'setenv autoload no',
  'if test -z "${kernel_comp_addr_r}"; then setexpr kernel_comp_addr_r ${kernel_addr_r} + 10000000; fi',
  'if test -z "${kernel_comp_size}"; then setenv kernel_comp_size 4000000; fi',
  'pxe get && pxe boot',
  'sleep 5',
  'reset',
  '',
].join('\n');

/** For a board that is to boot `cmdline`. Pure. */
export function bootFiles(board: Board, cmdline: string): BootFiles {
  if (board.loader === 'raspberry-pi') {
    return new Map([
      [
        'config.txt',
        ['arm_64bit=1', 'enable_uart=1', `kernel=${PI_KERNEL}`, `initramfs ${INITRD} followkernel`, ''].join('\n'),
      ],
      ['cmdline.txt', `${cmdline}\n`],
    ]);
  }
  const label = [
    ...['default app', 'prompt 0', 'timeout 1', 'label app', `kernel /${KERNEL}`, `initrd /${INITRD}`],
    `append ${cmdline}`,
  ];
  return new Map<string, string | Uint8Array>([
    [`pxelinux.cfg/${pxeName(board.mac)}`, `${label.join('\n')}\n`],
    ['boot.scr.uimg', scriptImage(START)],
  ]);
}

/** For a board that has nothing to do: u-boot waits and looks again. The Pi's own loader asks again by itself. Pure. */
export function idleFiles(board: Board, idle_s: number): BootFiles {
  if (board.loader === 'raspberry-pi') return new Map();
  return new Map([['boot.scr.uimg', scriptImage(`sleep ${idle_s}\nreset\n`)]]);
}

/** Names that each board's loader must have fetched before it can have started the kernel. */
export function neededFiles(board: Board): readonly string[] {
  return board.loader === 'raspberry-pi' ? [PI_KERNEL, INITRD] : [KERNEL, INITRD];
}

/** The folder of a board below the TFTP root, as dnsmasq looks for it. */
export function folderOf(mac: string): string {
  return mac.replaceAll(':', '-');
}

/** 01 is Ethernet. */
function pxeName(mac: string): string {
  return `01-${folderOf(mac)}`;
}

/** u-boot's legacy image of a script: a header of 64 bytes, a table of one length, the text. */
export function scriptImage(text: string): Buffer {
  const script = Buffer.from(text);
  const table = Buffer.alloc(8);
  table.writeUInt32BE(script.length, 0);
  const data = Buffer.concat([table, script]);
  const header = Buffer.alloc(64);
  header.writeUInt32BE(0x27051956, 0);
  header.writeUInt32BE(data.length, 12);
  header.writeUInt32BE(crc32(data), 24);
  // Linux, arm64, a script, not packed.
  header.set([5, 22, 6, 0], 28);
  header.write('unik', 32, 'latin1');
  header.writeUInt32BE(crc32(header), 4);
  return Buffer.concat([header, data]);
}
