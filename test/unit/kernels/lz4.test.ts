import { describe, expect, test } from '@jest/globals';
import { decodeLz4Legacy } from '../../../executor/kernels/lz4.js';

const MAGIC = [0x02, 0x21, 0x4c, 0x18];

/** A frame of blocks as they are. */
function frame(...blocks: number[][]): Uint8Array {
  return Uint8Array.from([...MAGIC, ...blocks.flatMap((block) => [block.length, 0, 0, 0, ...block])]);
}

const codes = (text: string): number[] => [...Buffer.from(text, 'latin1')];

describe('the legacy frame', () => {
  test.each<[string, Uint8Array, string]>([
    ['literals only', frame([0x30, ...codes('abc')]), 'abc'],
    ['a match', frame([0x30, ...codes('abc'), 3, 0]), 'abcabca'],
    ['a match that repeats what it writes', frame([0x11, ...codes('x'), 1, 0, 0x10, ...codes('y')]), 'xxxxxxy'],
    ['a long run of literals', frame([0xf0, 2, ...codes('0123456789abcdefg')]), '0123456789abcdefg'],
    ['a long match', frame([0x1f, ...codes('-'), 1, 0, 1, 0x10, ...codes('!')]), `${'-'.repeat(21)}!`],
    ['several blocks', frame([0x20, ...codes('ab')], [0x20, ...codes('cd')]), 'abcd'],
  ])('%s', (_what, bytes, expected) => {
    expect(decodeLz4Legacy(bytes, expected.length)?.toString('latin1')).toBe(expected);
  });

  test.each<[string, Uint8Array, number]>([
    ['another format', Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0, 0, 0]), 1],
    ['a block that is cut off', frame([0x30, ...codes('abc')]).subarray(0, 10), 3],
    ['a match before the start', frame([0x10, ...codes('a'), 9, 0]), 5],
    ['more than was announced', frame([0x30, ...codes('abc')]), 2],
    ['less than was announced', frame([0x30, ...codes('abc')]), 4],
  ])('%s gives nothing', (_what, bytes, size) => {
    expect(decodeLz4Legacy(bytes, size)).toBeUndefined();
  });
});
