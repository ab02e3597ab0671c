import { expect, test } from '@jest/globals';
import { xxhash64 } from '../../../../stager/lifecycle/xxhash64.js';

// The first four are test vectors that implementations of XXH64 publish; all paths of the code are in them.
test.each([
  ['', 'ef46db3751d8e999'],
  ['a', 'd24ec4f1a98c6e5b'],
  ['abc', '44bc2cf5ad770999'],
  ['Nobody inspects the spammish repetition', 'fbcea83c8a378bf1'],
])('%s', (text, hash) => expect(xxhash64(text)).toBe(hash));

test('is always 16 digits', () => {
  for (let i = 0; i < 200; i++) expect(xxhash64(`buildpack-${i}`)).toMatch(/^[0-9a-f]{16}$/);
});
