import { expect, test } from '@jest/globals';
import { crc32 } from '../../../../executor/disks/crc32.js';
import { initramfsWith } from '../../../../executor/disks/segments.js';
import {
  boardWords,
  bootFiles,
  folderOf,
  idleFiles,
  neededFiles,
  scriptImage,
} from '../../../../executor/providers/arm/boot-files.js';
import { armConfigSchema, type ArmConfig, type Board } from '../../../../executor/providers/arm/config.js';

const BOARD = { id: 'one', mac: 'DC:A6:32:01:36:C2', address: '10.0.0.11', memory_mb: 1024 };
const configOf = (board: object = {}): ArmConfig =>
  armConfigSchema.parse({
    ...{ interface: 'eth1', server: '10.0.0.1', subnet: '10.0.0.0/24' },
    boards: [{ ...BOARD, ...board }],
  });
const boardOf = (board: object = {}): Board => {
  const [made] = configOf(board).boards;
  if (!made) throw new Error('no board');
  return made;
};
const text = (content: string | Uint8Array | undefined): string => Buffer.from(content ?? '').toString('latin1');

test('u-boot finds a script that goes on, and a label for its hardware address', () => {
  const files = bootFiles(boardOf(), 'loglevel=6 unik.end=reboot');
  expect([...files.keys()].sort()).toEqual(['boot.scr.uimg', 'pxelinux.cfg/01-dc-a6-32-01-36-c2']);
  const label = text(files.get('pxelinux.cfg/01-dc-a6-32-01-36-c2'));
  expect(label).toMatch(/^default app\n/);
  expect(label).toContain('kernel /vmlinuz\ninitrd /initrd\nappend loglevel=6 unik.end=reboot\n');
  expect(text(files.get('boot.scr.uimg'))).toContain('pxe get && pxe boot');
});

test('the Raspberry Pi’s loader finds its own two files', () => {
  const files = bootFiles(boardOf({ loader: 'raspberry-pi', firmware: '/srv/pi' }), 'console=ttyAMA0');
  expect(text(files.get('config.txt'))).toContain('kernel=kernel8.img\ninitramfs initrd followkernel\n');
  expect(files.get('cmdline.txt')).toBe('console=ttyAMA0\n');
  expect(neededFiles(boardOf({ loader: 'raspberry-pi', firmware: '/srv/pi' }))).toEqual(['kernel8.img', 'initrd']);
});

test('an idle board waits and looks again; the Pi does so by itself', () => {
  expect(text(idleFiles(boardOf(), 7).get('boot.scr.uimg'))).toMatch(/sleep 7\nreset\n$/);
  expect(idleFiles(boardOf({ loader: 'raspberry-pi', firmware: '/srv/pi' }), 7).size).toBe(0);
});

test.each([
  ['a console server', { console: { kind: 'tcp', host: 'c', port: 1 } }, 'unik.line=ttyAMA0'],
  ['no console', {}, 'unik.line=none unik.log=10.0.0.1:5140'],
  ['no power control', {}, 'unik.end=reboot'],
  ['power control', { power: { kind: 'command', on: ['a'], off: ['b'] } }, 'unik.end=poweroff'],
  ['another line', { line: 'ttyS1', baud: 9600 }, 'console=ttyS1,9600'],
])('%s stands on the command line', (_what, board, word) => {
  expect(boardWords(boardOf(board), configOf()).join(' ')).toContain(word);
});

test('a script is an image of u-boot’s, with both of its checksums', () => {
  const image = scriptImage('reset\n');
  const header = Buffer.from(image.subarray(0, 64));
  const given = header.readUInt32BE(4);
  header.writeUInt32BE(0, 4);
  expect(image.readUInt32BE(0)).toBe(0x27051956);
  expect(crc32(header)).toBe(given);
  expect(crc32(image.subarray(64))).toBe(image.readUInt32BE(24));
  expect(image.readUInt32BE(64)).toBe(6);
  expect(image.toString('latin1', 72)).toBe('reset\n');
});

test('segments begin at four bytes, and the config is in the last', () => {
  const whole = initramfsWith(Buffer.from('12345'), Buffer.from('root'), '{"schema":1}');
  expect(whole.toString('latin1', 0, 8)).toBe('12345\0\0\0');
  expect(whole.readUInt16BE(8)).toBe(0x1f8b);
  expect(whole.indexOf('070701') % 4).toBe(0);
  expect(whole.toString('latin1')).toContain('unik/config.json\0{"schema":1}'.slice(0, 16));
});

test.each([
  ['two boards with one address', { boards: [BOARD, { ...BOARD, id: 'two', mac: '52:54:00:00:00:01' }] }, /address/],
  ['a Pi without its files', { boards: [{ ...BOARD, loader: 'raspberry-pi' }] }, /firmware/],
  ['no board', { boards: [] }, /boards/],
  ['a wrong hardware address', { boards: [{ ...BOARD, mac: '1-2' }] }, /mac/],
])('an inventory with %s is refused', (_what, given, message) => {
  const read = armConfigSchema.safeParse({ interface: 'eth1', server: '10.0.0.1', subnet: '10.0.0.0/24', ...given });
  expect(read.success).toBe(false);
  expect(JSON.stringify(read.error?.issues)).toMatch(message);
});

test('a board’s folder has its hardware address', () => {
  expect(folderOf('dc:a6:32:01:36:c2')).toBe('dc-a6-32-01-36-c2');
});
