import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { byteSize, goDuration, goMillis } from '../../../core/go-format.js';

test.each([
  [0, '0s'],
  [1, '1ms'],
  [999, '999ms'],
  [1000, '1s'],
  [1500, '1.5s'],
  [60_000, '1m0s'],
  [900_000, '15m0s'],
  [3_600_000, '1h0m0s'],
  [3_661_001, '1h1m1.001s'],
  [-1500, '-1.5s'],
])('%d ms is %s', (ms, text) => {
  expect(goDuration(ms)).toBe(text);
});

test('what is printed reads back', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 10 ** 9 }), (ms) => {
      expect(goMillis(goDuration(ms))).toBeCloseTo(ms, 6);
    }),
  );
});

test.each(['', '5', 'x1s', '1s ', '-1s'])('%p is no duration', (text) => {
  expect(goMillis(text)).toBeUndefined();
});

test.each([
  [0, '0B'],
  [512, '512B'],
  [1023, '1023B'],
  [1024, '1K'],
  [1536, '1.5K'],
  [1_258_291, '1.2M'],
  [3 * 2 ** 30, '3G'],
])('%d bytes are %s', (bytes, text) => {
  expect(byteSize(bytes)).toBe(text);
});
