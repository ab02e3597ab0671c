import { expect, test } from '@jest/globals';
import { Readable } from 'node:stream';
import type { IncomingMessage } from 'node:http';
import { readBody } from '../../../localcf/https.js';

const MB = 2 ** 20;
const sent = (...sizes: number[]): IncomingMessage =>
  Readable.from(sizes.map((size) => Buffer.alloc(size))) as unknown as IncomingMessage;

test('a body is read whole, and one larger than any of ours is not kept', async () => {
  expect((await readBody(sent(3, 4)))?.length).toBe(7);
  expect((await readBody(sent()))?.length).toBe(0);
  expect((await readBody(sent(60 * MB, 4 * MB)))?.length).toBe(64 * MB);
  const flood = sent(60 * MB, 4 * MB, 1, 60 * MB);
  expect(await readBody(flood)).toBeUndefined();
  // The rest is not even read.
  expect(flood.destroyed).toBe(true);
});
