import { expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';

test('protos/generated.ts is what the .proto files say', async () => {
  const { generate } = (await import(new URL('../../../scripts/protos.mjs', import.meta.url).href)) as {
    generate: () => Promise<{ path: string; text: string }>;
  };
  const { path, text } = await generate();
  expect(readFileSync(path, 'utf8')).toBe(text);
});
