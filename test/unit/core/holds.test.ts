import { expect, test } from '@jest/globals';
import { Holds } from '../../../core/holds.js';

test('what two hold stays held until both have let go, however often one says so', () => {
  const holds = new Holds();
  const [one, two] = [holds.take('a'), holds.take('a')];
  one();
  one();
  expect([holds.has('a'), holds.has('b')]).toEqual([true, false]);
  two();
  expect(holds.has('a')).toBe(false);
});
