import { expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { run } from '../../../core/process.js';
import type { Drained } from '../../support/crash-cell.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const KILLS = 12;

test(`${KILLS} random kills lose no machine, leak none, and neither lose nor repeat a line`, async () => {
  const outfile = join(root, 'dist/test/crash-cell.mjs');
  await build({
    entryPoints: [join(root, 'test/support/crash-cell.ts')],
    ...{ bundle: true, platform: 'node', format: 'esm', packages: 'external', outfile },
  });
  const home = await mkdtemp(join(tmpdir(), 'unik-crash-'));
  for (let kill = 0; kill < KILLS; kill++) {
    const cell = spawn(process.execPath, [outfile, 'churn', home], { stdio: ['ignore', 'pipe', 'inherit'] });
    const exited = once(cell, 'exit');
    const first = await Promise.race([once(cell.stdout, 'data'), exited]);
    expect(String(first[0])).toBe('ready\n');
    await delay(Math.random() * 300);
    cell.kill('SIGKILL');
    expect(await exited).toEqual([null, 'SIGKILL']);
  }
  const { stdout } = await run(process.execPath, [outfile, 'drain', home]);
  const { lasting, ...left } = JSON.parse(stdout) as Drained;
  expect(left).toEqual({ machines: [], files: [] });
  expect(lasting.pop()).toBe('goodbye');
  expect(lasting.length).toBeGreaterThan(300);
  expect(lasting).toEqual(lasting.map((_, n) => `line ${n + 1}`));
  await rm(home, { recursive: true });
}, 120_000);
