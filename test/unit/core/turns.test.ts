import { expect, test } from '@jest/globals';
import { Turns } from '../../../core/turns.js';

test('jobs run one at a time in the order asked, also after one that failed', async () => {
  const turns = new Turns();
  const said: string[] = [];
  const job = (name: string) => async (): Promise<string> => {
    said.push(`${name} begins`);
    await new Promise((resolve) => setImmediate(resolve));
    said.push(`${name} ends`);
    if (name === 'second') throw new Error(name);
    return name;
  };
  const asked = ['first', 'second', 'third'].map((name) => turns.take(job(name)));
  await turns.idle();
  expect(said).toEqual(['first', 'second', 'third'].flatMap((name) => [`${name} begins`, `${name} ends`]));
  expect((await Promise.allSettled(asked)).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
});
