import { describe, expect, test } from '@jest/globals';
import { consoleDelta, crc16, FrameReader, readFrame } from '../../../executor/console/frames.js';

/** A line as the guest's init writes it. */
function line(number: number, text: string, kind = 'o', boot = 'ab12'): string {
  const body = `${boot} ${kind} ${String(number)} ${text}`;
  return `@unik ${crc16(Buffer.from(body)).toString(16).padStart(4, '0')} ${body}`;
}

const text = (pieces: { kind: string; bytes: Buffer }[]): string =>
  pieces.map(({ kind, bytes }) => `${kind}:${bytes.toString('latin1')}`).join('|');

describe('frames', () => {
  test('CRC-16 of the usual check string', () => expect(crc16(Buffer.from('123456789'))).toBe(0x29b1));

  test.each([
    ['plain', 'hello', 'hello'],
    ['escapes', String.raw`a\\b\nc\x00\xff`, 'a\\b\nc\0\xff'],
    ['nothing', '', ''],
  ])('reads %s', (_, escaped, plain) => {
    expect(readFrame(line(1, escaped))?.bytes.toString('latin1')).toBe(plain);
  });

  test.each([
    ['a wrong sum', line(1, 'x').replace('@unik ', '@unik 0')],
    ['a changed byte', line(1, 'hello').replace('hello', 'hallo')],
    ['an unknown kind', line(1, 'x', 'z')],
    ['an unknown escape', line(1, String.raw`\q`)],
    ['an application that prints one', 'x @unik 0000 ab12 c 1 {}'],
  ])('takes no line with %s', (_, damaged) => {
    expect(readFrame(damaged)).toBeUndefined();
  });

  test('reads pieces of any size, other lines as the kernel’s, and nothing twice', () => {
    const whole = `boot\r\n${line(1, 'one\\n')}\r\n${line(2, 'two\\n', 'e')}\r\n${line(1, 'again')}\r\nKernel panic\n`;
    const reader = new FrameReader();
    const pieces = Array.from(Buffer.from(whole)).flatMap((byte) => reader.read(Buffer.from([byte])));
    expect(text(pieces)).toBe('kernel:boot\n|stdout:one\n|stderr:two\n|kernel:Kernel panic\n');
    expect(reader.lost).toBe(0);
  });

  test('counts what is missing, begins anew with another boot, and goes on where it was', () => {
    const reader = new FrameReader();
    reader.read(Buffer.from(`${line(1, 'a')}\n${line(4, 'b')}\npart`));
    expect(reader.lost).toBe(2);
    const later = FrameReader.resume(reader.state);
    expect(text(later.read(Buffer.from(`ly\n${line(4, 'b')}\n${line(1, 'c', 'o', 'ffff')}\n`)))).toBe(
      'kernel:partly\n|stdout:c',
    );
  });
});

describe('the new part of a console', () => {
  const long = (from: number, to: number): Buffer =>
    Buffer.from(Array.from({ length: to - from }, (_, n) => `line ${String(from + n)}\n`).join(''));

  test.each([
    ['nothing was known', Buffer.alloc(0), long(0, 5), long(0, 5), false],
    ['it grew', long(0, 5), long(0, 9), long(5, 9), false],
    ['it did not', long(0, 5), long(0, 5), Buffer.alloc(0), false],
    ['its start was cut off', long(0, 300), long(100, 310), long(300, 310), false],
    ['all of it is new', long(0, 50), long(1000, 1050), long(1000, 1050), true],
  ])('%s', (_, before, now, added, gap) => {
    expect(consoleDelta(before, now)).toEqual({ added, gap });
  });
});
