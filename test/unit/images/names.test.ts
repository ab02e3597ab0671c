import { expect, test } from '@jest/globals';
import { normalizeName } from '../../../executor/images/names.js';
import { failure } from '../../support/failure.js';

test.each([
  ['hello', 'hello:latest'],
  ['hello:1.0', 'hello:1.0'],
  ['team/hello_x', 'team/hello_x:latest'],
  ['a.b--c__d', 'a.b--c__d:latest'],
])('%s is %s', (name, full) => {
  expect(normalizeName(name)).toBe(full);
});

test.each(['', 'Hello', 'a b', 'a:', ':x', '-a', 'a-', 'a//b', 'a..b', '../a', 'a:x:y', 'a'.repeat(256), 'ü'])(
  '%j is no name',
  async (name) => {
    expect((await failure(() => normalizeName(name))).code).toBe('bad_request');
  },
);
