import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { compareVersions } from '../../../executor/kernels/version.js';

// Each pair: the first is older. Checked against `dpkg --compare-versions`.
test.each([
  ['6.1.176-1', '6.1.192-2'],
  ['6.1.192-2', '6.1.192-10'],
  ['6.1.192-2', '6.12.3-1'],
  ['6.1.0-9-cloud-amd64', '6.1.0-56-cloud-amd64'],
  ['6.12~rc1-1', '6.12-1'],
  ['6.12', '6.12-1'],
  ['6.12-1~bpo12+1', '6.12-1'],
  ['6.12-1', '6.12-1+b1'],
  ['6.12a', '6.12+'],
  ['9.9', '1:0.1'],
  ['1.0', '1.0.1'],
  ['1.0~~', '1.0~'],
])('%s is older than %s', (older, newer) => {
  expect(compareVersions(older, newer)).toBeLessThan(0);
  expect(compareVersions(newer, older)).toBeGreaterThan(0);
});

test.each([
  ['1.0', '1.00'],
  ['0:1.0', '1.0'],
  ['6.1.192-2', '6.1.192-2'],
])('%s and %s are the same', (a, b) => {
  expect(compareVersions(a, b)).toBe(0);
});

test('it is an order: sorting does not depend on where one starts', () => {
  const version = fc.stringMatching(/^[0-9][0-9a-c.+~-]{0,8}$/);
  fc.assert(
    fc.property(version, version, version, (a, b, c) => {
      expect(Math.sign(compareVersions(a, b))).toBe(-Math.sign(compareVersions(b, a)) + 0);
      if (compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0)
        expect(compareVersions(a, c)).toBeLessThanOrEqual(0);
    }),
  );
});
