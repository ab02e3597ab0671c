import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createLimit } from '../../../../executor/console/limit.js';
import { LineCutter, type CutLine } from '../../../../executor/console/lines.js';
import { Ring } from '../../../../executor/console/ring.js';

const cut = (chunks: Uint8Array[], max?: number, start = 0): CutLine[] => {
  const cutter = new LineCutter(start, max);
  const lines = chunks.flatMap((chunk) => cutter.push(chunk));
  const last = cutter.end();
  return last ? [...lines, last] : lines;
};
const texts = (text: string, max?: number): string[] => cut([Buffer.from(text)], max).map((line) => line.text);

test.each<[text: string, lines: string[]]>([
  ['a\nb\n', ['a', 'b']],
  ['a\r\nb', ['a', 'b']],
  ['\n\na', ['', '', 'a']],
  ['50%\r100%\n', ['50%\r100%']],
  ['\u001b[31mred\u001b[0m\n', ['\u001b[31mred\u001b[0m']],
  ['', []],
])('cuts %j', (text, lines) => {
  expect(texts(text)).toEqual(lines);
});

test('cuts too long a line at a character, without an empty line after it', () => {
  expect(texts('€€€€€\nx\n', 8)).toEqual(['€€', '€€', '€', 'x']);
  expect(texts('abcdefghij\n', 8)).toEqual(['abcdefgh', 'ij']);
  expect(texts('abcdefgh\r\n\nx', 8)).toEqual(['abcdefgh', '', 'x']);
});

test('chunks make no difference, positions are exact, and memory is bounded', () => {
  const chunks = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 });
  const texty = fc.array(
    fc.string({ unit: fc.constantFrom('a', '\n', '\r', '€', '🦄') }).map((text) => Buffer.from(text)),
  );
  fc.assert(
    fc.property(fc.oneof(chunks, texty), (parts) => {
      const whole = Buffer.concat(parts);
      const lines = cut(parts, undefined, 100);
      expect(lines).toEqual(cut([whole], undefined, 100));
      expect(lines.at(-1)?.end ?? 100).toBe(100 + whole.length);
      // Going on from the end of any line gives the lines after it.
      lines.forEach((line, index) => {
        expect(cut([whole.subarray(line.end - 100)], undefined, line.end)).toEqual(lines.slice(index + 1));
      });
      expect(cut(parts, 4)).toEqual(cut([whole], 4));
    }),
  );
});

test('a stream without a line end is not held for ever', () => {
  const cutter = new LineCutter();
  let lines = 0;
  for (let n = 0; n < 64; n++) lines += cutter.push(Buffer.alloc(4096, 'x')).length;
  expect(lines).toBe(3);
});

describe('Ring', () => {
  test.each([
    [0, []],
    [3, [3, 4, 5]],
    [9, [1, 2, 3, 4, 5]],
  ])('of %d keeps the last', (size, expected) => {
    const ring = new Ring<number>(size);
    for (const value of [1, 2, 3, 4, 5]) ring.push(value);
    expect([...ring.values()]).toEqual(expected);
  });
});

test('the rate limit passes its rate, notices once a second, and recovers', () => {
  const judge = createLimit(100);
  expect([judge(60, 0), judge(40, 0), judge(1, 0), judge(1, 5), judge(10, 100), judge(99, 500)]).toEqual([
    'pass',
    'pass',
    'notice',
    'drop',
    'pass',
    'drop',
  ]);
  expect(judge(99, 1500)).toBe('pass');
  expect(judge(99, 1500)).toBe('notice');
});
