import { expect, test } from '@jest/globals';
import { cpio, linuxInitramfs } from '../../../executor/guests/linux/initramfs.js';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

test('one file is laid out as the format says', () => {
  const archive = Buffer.from(cpio([{ path: 'init', mode: 0o100755, data: text('hello') }]));
  const header = (fields: number[]): string => `070701${fields.map((n) => n.toString(16).padStart(8, '0')).join('')}`;
  expect(archive.toString('latin1')).toBe(
    `${header([1, 0o100755, 0, 0, 1, 0, 5, 0, 0, 0, 0, 5, 0])}init\0\0` +
      'hello\0\0\0' +
      `${header([2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 11, 0])}TRAILER!!!\0\0\0\0`,
  );
});

test('every header starts on a multiple of four bytes', () => {
  const entries = Array.from({ length: 20 }, (_, n) => ({
    path: 'x'.repeat(n + 1),
    mode: 0o100644,
    data: text('y'.repeat(n)),
  }));
  const archive = Buffer.from(cpio(entries));
  let at = 0;
  for (const { path, data } of entries) {
    expect(archive.toString('latin1', at, at + 6)).toBe('070701');
    at = (at + 110 + path.length + 1 + 3) & ~3;
    expect(archive.subarray(at, at + data.length).equals(data)).toBe(true);
    at = (at + data.length + 3) & ~3;
  }
});

test('init, its console and the modules with their order are in it', () => {
  const modules = ['b.ko', 'a.ko'].map((name) => ({ name, data: text(name) }));
  const archive = linuxInitramfs(text('init'), modules);
  const listing = Buffer.from(archive).toString('latin1');
  const names = [...listing.matchAll(/070701.{104}([^\0]+)\0/gs)].map((match) => match[1]);
  expect(names).toEqual([
    'dev',
    'dev/console',
    'modules',
    'modules/order',
    'modules/b.ko',
    'modules/a.ko',
    'init',
    'TRAILER!!!',
  ]);
  expect(listing).toContain('b.ko\na.ko\n');
  // The same input gives the same bytes: the digest of a kernel entry stands on that.
  expect(Buffer.from(linuxInitramfs(text('init'), modules)).equals(archive)).toBe(true);
});
