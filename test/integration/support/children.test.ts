import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isAlive, identify, kill } from '../../../core/process.js';
import { Child, freePorts, type ChildSpec } from '../../support/diego/children.js';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'unik-children-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** Writes its pid, then waits. */
const waiting = (): ChildSpec => ({
  name: 'waiting',
  file: 'sh',
  args: ['-c', `echo $$ > ${join(dir, 'pid')}; exec sleep 60`],
  log: join(dir, 'log'),
  ready: () => Promise.resolve(existsSync(join(dir, 'pid'))),
});
const until = async (holds: () => Promise<boolean>): Promise<boolean> => {
  for (let tries = 0; tries < 100; tries++) {
    if (await holds()) return true;
    await delay(50);
  }
  return false;
};
const readPid = async (): Promise<number> => Number(await readFile(join(dir, 'pid'), 'utf8'));

test('a child that ends by itself is started again; one that was stopped is not', async () => {
  const child = new Child(waiting());
  await child.start();
  const first = await readPid();
  const who = await identify(first);
  if (!who) throw new Error('it does not run');
  await kill(who, 'SIGKILL');
  expect(await until(async () => (await readPid()) !== first)).toBe(true);
  expect(child.exits).toBe(1);
  const second = await identify(await readPid());
  await child.stop();
  expect(second && (await isAlive(second))).toBe(false);
  await delay(700);
  expect(child.exits).toBe(1);
  expect(await readPid()).toBe(second?.pid);
});

test('a child that never serves is an error with the end of its log, at the latest when it is stopped', async () => {
  const child = new Child({
    ...waiting(),
    args: ['-c', 'echo no such key; sleep 60'],
    ready: () => Promise.resolve(false),
  });
  const started = child.start();
  const failed = expect(started).rejects.toThrow('waiting was stopped while it started');
  await until(() => Promise.resolve(child.pid !== undefined));
  await child.stop();
  await failed;
});

test('a child dies with the process that started it, however that ends', async () => {
  await build({
    entryPoints: [join(import.meta.dirname, '../../support/diego/children.ts')],
    outfile: join(dir, 'children.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'silent',
  });
  const { name, file, args, log } = waiting();
  await writeFile(
    join(dir, 'parent.mjs'),
    `import { Child } from './children.mjs';
     const spec = ${JSON.stringify({ name, file, args, log })};
     await new Child({ ...spec, ready: async () => true }).start();
     setInterval(() => undefined, 1_000);`,
  );
  const parent = spawn(process.execPath, [join(dir, 'parent.mjs')], { stdio: 'ignore' });
  expect(await until(() => Promise.resolve(existsSync(join(dir, 'pid'))))).toBe(true);
  const who = await identify(await readPid());
  if (!who) throw new Error('it does not run');
  const gone = once(parent, 'exit');
  parent.kill('SIGKILL');
  await gone;
  expect(await until(async () => !(await isAlive(who)))).toBe(true);
});

test('free ports differ from each other', async () => {
  expect(new Set(await freePorts(20)).size).toBe(20);
});
