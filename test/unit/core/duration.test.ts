import { expect, test } from '@jest/globals';
import { parseDuration } from '../../../core/duration.js';

test.each([
  ['30s', 30_000],
  ['1m30s', 90_000],
  ['1.5h', 5_400_000],
  ['500ms', 500],
  ['1h0m0.25s', 3_600_250],
  ['0s', 0],
])('%s is %d ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each(['', '30', 's', '1x', '1s ', '-1s', '1s2'])('%j is none', (text) => {
  expect(() => parseDuration(text)).toThrow(expect.objectContaining({ code: 'bad_request' }));
});
