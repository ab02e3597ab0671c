import { expect, test } from '@jest/globals';
import { chooseBoard } from '../../../../executor/providers/arm/choose.js';
import { armConfigSchema } from '../../../../executor/providers/arm/config.js';
import { failure } from '../../../support/failure.js';

const { boards } = armConfigSchema.parse({
  ...{ interface: 'eth1', server: '10.0.0.1', subnet: '10.0.0.0/24' },
  boards: [
    { id: 'large', mac: '52:54:00:00:00:01', address: '10.0.0.11', memory_mb: 4096 },
    { id: 'small', mac: '52:54:00:00:00:02', address: '10.0.0.12', memory_mb: 512 },
    { id: 'other', mac: '52:54:00:00:00:03', address: '10.0.0.13', memory_mb: 1024 },
  ],
});
const choose = (need_mb: number, taken: string[] = [], trouble: string[] = []): string =>
  chooseBoard({ boards, need_mb, taken: new Set(taken), trouble: new Map(trouble.map((id) => [id, 'silent'])) }).id;

test.each([
  ['the smallest that is large enough', 300, [], [], 'small'],
  ['larger where more is asked', 600, [], [], 'other'],
  ['the next where it is taken', 300, ['small'], [], 'other'],
  ['one with trouble last', 300, [], ['small', 'other'], 'large'],
  ['one with trouble rather than none', 300, ['large', 'other'], ['small'], 'small'],
] as const)('%s', (_what, need, taken, trouble, id) => {
  expect(choose(need, [...taken], [...trouble])).toBe(id);
});

test('no board is large enough, or none is free', async () => {
  expect(await failure(() => choose(5_000))).toMatchObject({ code: 'insufficient_memory' });
  expect(await failure(() => choose(300, ['large', 'small', 'other']))).toMatchObject({
    code: 'insufficient_machines',
  });
});
