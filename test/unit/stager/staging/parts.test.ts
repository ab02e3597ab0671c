import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { lineSplitter } from '../../../../stager/staging/lines.js';
import { locate } from '../../../../stager/staging/scratch.js';

describe('a path of a task', () => {
  test.each([
    ['/tmp', { place: 'tmp', names: [] }],
    ['/tmp/app', { place: 'tmp', names: ['app'] }],
    ['/tmp/../tmp/a/./b', { place: 'tmp', names: ['a', 'b'] }],
    ['/home/vcap/app', { place: 'home', names: ['app'] }],
    ['app', { place: 'home', names: ['app'] }],
    ['.', { place: 'home', names: [] }],
  ])('%s is in its folder', (path, expected) => {
    expect(locate(path)).toEqual(expected);
  });

  test.each(['/', '/etc/passwd', '/tmpfile', '/home/vcapture', '../../etc/passwd', '/tmp/../etc'])(
    '%s is not',
    (path) => {
      expect(() => locate(path)).toThrow(expect.objectContaining({ code: 'bad_request' }));
    },
  );
});

describe('lines', () => {
  const split = (chunks: readonly Uint8Array[]): string[] => {
    const lines: string[] = [];
    const splitter = lineSplitter((line) => lines.push(line));
    for (const chunk of chunks) splitter.push(chunk);
    splitter.end();
    return lines;
  };

  test('come whole however the bytes come', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' })), fc.array(fc.nat(200)), (parts, cuts) => {
        const lines = parts.map((part) => part.replaceAll('\n', ''));
        const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
        const at = [...cuts.map((cut) => Math.min(cut, bytes.length)), bytes.length].sort((a, b) => a - b);
        expect(split(at.map((to, index) => bytes.subarray(at[index - 1] ?? 0, to)))).toEqual(lines);
      }),
    );
  });

  test('the last needs no end, and one without end is told in pieces', () => {
    expect(split([Buffer.from('a\nb')])).toEqual(['a', 'b']);
    expect(split([Buffer.alloc(130_000, 'x')]).map(({ length }) => length)).toEqual([60_000, 60_000, 10_000]);
  });
});
