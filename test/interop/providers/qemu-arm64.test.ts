import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { get } from 'node:http';
import { join } from 'node:path';
import type { QemuProvider } from '../../../executor/providers/qemu/qemu.js';
import { makeBench, makeSpec, open, type Bench } from '../../support/qemu.js';
import { makeProvider } from '../../support/qemu-provider.js';

let bench: Bench;
let home: string;
let provider: QemuProvider;
beforeAll(async () => {
  bench = await makeBench('aarch64');
  home = await mkdtemp(join(bench.dir, 'home-'));
  provider = makeProvider(home);
}, 180_000);
afterAll(async () => {
  for (const handle of await provider.list('arm64/test')) await provider.destroy(handle);
  provider.close();
  await rm(home, { recursive: true, force: true });
  await bench.close();
});

const mode = process.getuid?.() === 0 ? 'tap' : 'isolated';
const never = (): AbortSignal => new AbortController().signal;

test('a machine for arm64 answers, and ends as it is told', async () => {
  const spec = makeSpec(bench, 'web', { key: 'arm64', owner: 'arm64/test' }, { mode, ...open });
  const handle = await provider.start(spec, never());
  let up = false;
  while (!up) up = await provider.reaches(handle, 8080, 2_000, never());
  const at = provider.endpoint(handle, 8080);
  const status = await new Promise((resolve, reject) =>
    get(at ?? {}, (reply) => resolve(reply.resume().statusCode)).on('error', reject),
  );
  expect(status).toBe(200);
  await provider.stop(handle, 30_000);
  expect(await provider.exits(handle, never())).toMatchObject({ reason: 'exited', code: 0 });
}, 180_000);
