import { expect, test } from '@jest/globals';
import { failureWords, leavesOf, mapLeaves } from '../../../backend/convert/joined.js';
import type { Joined } from '../../../executor/model.js';

const run = (log_source: string): Joined<{ log_source: string }> => ({ run: { log_source } });
const [a, b, c] = [run('A'), run('B'), run('C')];
type Codes = (number | undefined)[];

/** By number; undefined: it was ended by others, or never began. */
const ended = (codes: Codes): { program: number; code: number }[] =>
  codes.flatMap((code, program) => (code === undefined ? [] : [{ program, code }]));

test.each<[tree: Joined<{ log_source: string }>, codes: Codes, words: string | undefined]>([
  [a, [0], undefined],
  [a, [7], 'A: Exited with status 7'],
  [a, [], ''],
  [{ try: a }, [7], undefined],
  [{ parallel: [a, b] }, [0, 0], undefined],
  [{ parallel: [a, b] }, [1, 2], 'A: Exited with status 1; B: Exited with status 2'],
  [{ parallel: [a, b] }, [0, 2], 'B: Exited with status 2'],
  [{ serial: [a, b] }, [1], 'A: Exited with status 1'],
  [{ serial: [a, b] }, [0, 0], undefined],
  [{ serial: [a, b] }, [0, 3], 'B: Exited with status 3'],
  [{ joined: [a, b] }, [0, 0], undefined],
  [{ joined: [a, b] }, [undefined, 3], 'B: Exited with status 3'],
  [{ codependent: [a, b] }, [0], 'Codependent step exited'],
  [{ codependent: [a, b] }, [undefined, 17], 'B: Exited with status 17'],
  [{ codependent: [a, b] }, [0, 0], 'Codependent step exited; Codependent step exited'],
  [{ codependent: [{ try: a }, b] }, [4], 'Codependent step exited'],
  [{ serial: [{ parallel: [a, b] }, { codependent: [c, a] }] }, [0, 0, undefined, 5], 'A: Exited with status 5'],
  [{ joined: [{ codependent: [a, b] }, c] }, [undefined, undefined, 1], 'C: Exited with status 1'],
])('%j that ended with %j says %j', (tree, codes, words) => {
  expect(failureWords(tree, ended(codes))).toBe(words);
});

test('what else is known of the end stands at each status', () => {
  expect(failureWords({ joined: [a, b] }, ended([137, 137]), ' (out of memory)')).toBe(
    'A: Exited with status 137 (out of memory); B: Exited with status 137 (out of memory)',
  );
});

test('leaves are counted and changed in the order of the tree', () => {
  const tree: Joined<string> = {
    serial: [{ run: 'a' }, { try: { parallel: [{ run: 'b' }] } }, { joined: [{ codependent: [{ run: 'c' }] }] }],
  };
  expect(leavesOf(tree)).toEqual(['a', 'b', 'c']);
  expect(leavesOf(mapLeaves(tree, (leaf) => `${leaf}!`))).toEqual(['a!', 'b!', 'c!']);
  expect(mapLeaves(tree, (leaf) => leaf)).toEqual(tree);
});
