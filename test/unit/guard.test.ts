import { expect, test } from '@jest/globals';

// Without --experimental-vm-modules the transformer quietly emits CommonJS, and tests pass until the first
// ESM-only dependency.
test('tests run as real ES modules', () => {
  expect(typeof require).toBe('undefined');
  expect(import.meta.url).toMatch(/^file:/);
});
