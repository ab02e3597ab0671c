import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../core/clock.js';
import { readJsonFile, writeFileAtomic, writeJsonFile } from '../../../core/json-file.js';
import { createLog } from '../../../core/log.js';
import { identify, isAlive, kill, run } from '../../../core/process.js';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'unik-core-'));
});
afterEach(() => rm(dir, { recursive: true }));

describe('json file', () => {
  test('is written whole, private, into a folder made for it', async () => {
    const path = join(dir, 'a', 'b.json');
    await writeJsonFile(path, { one: 1 });
    expect(await readJsonFile(path)).toEqual({ one: 1 });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(join(dir, 'a'))).mode & 0o777).toBe(0o700);
    expect(await readdir(join(dir, 'a'))).toEqual(['b.json']);
  });

  test('side by side, one of the values stands and nothing half-made remains', async () => {
    const path = join(dir, 'x.json');
    await Promise.all(Array.from({ length: 20 }, (_, n) => writeJsonFile(path, { n, pad: 'x'.repeat(5_000) })));
    expect(await readJsonFile(path)).toMatchObject({ pad: 'x'.repeat(5_000) });
    expect(await readdir(dir)).toEqual(['x.json']);
  });

  test('a failed write leaves the old file, and no file is undefined, and a broken one throws', async () => {
    await writeFile(join(dir, 'folder'), '');
    await expect(writeFileAtomic(join(dir, 'folder', 'x'), 'y')).rejects.toThrow();
    expect(await readdir(dir)).toEqual(['folder']);
    expect(await readJsonFile(join(dir, 'none.json'))).toBeUndefined();
    await writeFile(join(dir, 'broken.json'), '{');
    await expect(readJsonFile(join(dir, 'broken.json'))).rejects.toThrow();
  });
});

describe('run', () => {
  test('gives both outputs, and lines as they come', async () => {
    const lines: string[] = [];
    const onLine = (line: string, stream: string): void => void lines.push(`${stream} ${line}`);
    const { stdout, stderr } = await run('sh', ['-c', 'cat; echo two; echo err >&2'], { input: 'one\n', onLine });
    expect([stdout, stderr]).toEqual(['one\ntwo\n', 'err\n']);
    expect(lines.sort()).toEqual(['stderr err', 'stdout one', 'stdout two']);
  });

  test.each<[why: string, file: string, script: string, timeout: number, message: RegExp]>([
    ['a status', 'sh', 'echo why >&2; exit 3', 5_000, /^sh failed: exit code 3\nwhy$/],
    ['a signal', 'sh', 'kill -9 $$', 5_000, /^sh failed: killed by SIGKILL/],
    ['no end', 'sh', 'exec sleep 60', 100, /^sh failed: gave no result within 100 ms/],
    ['no program', 'no-such-program', '', 5_000, /^no-such-program failed: .*ENOENT/],
  ])('names %s', async (_why, file, script, timeout_ms, message) => {
    const failed = run(file, ['-c', script], { timeout_ms, code: 'toolchain_failed' });
    await expect(failed).rejects.toMatchObject({ code: 'toolchain_failed', message: expect.stringMatching(message) });
  });

  test('keeps the environment to what is given, and ends by its signal', async () => {
    const { stdout } = await run('/usr/bin/env', [], { env: { ONLY: 'this' } });
    expect(stdout).toBe('ONLY=this\n');
    const enough = new AbortController();
    const running = run('sleep', ['60'], { signal: enough.signal });
    enough.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
  });
});

test('a process is known by number and birth, and only that one is killed', async () => {
  const child = spawn('sleep', ['60']);
  const ended = new Promise((resolve) => child.once('exit', (_code, signal) => resolve(signal)));
  const who = await identify(child.pid ?? -1);
  if (!who) throw new Error('it lives');
  expect(await kill({ ...who, start_ticks: '1' }, 'SIGKILL')).toBe(false);
  expect(await isAlive(who)).toBe(true);
  expect(await kill(who, 'SIGTERM')).toBe(true);
  expect(await ended).toBe('SIGTERM');
  expect(await isAlive(who)).toBe(false);
  expect(await kill(who, 'SIGTERM')).toBe(false);
});

test('a log is JSON lines in a private file', async () => {
  const path = join(dir, 'logs', 'x.log');
  createLog('cell', 'info', path).info({ key: 'k' }, 'machine.started');
  const line = JSON.parse(await readFile(path, 'utf8')) as unknown;
  expect(line).toMatchObject({ name: 'cell', key: 'k', msg: 'machine.started' });
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test('sleep ends by its signal', async () => {
  const enough = new AbortController();
  const sleep = systemClock.sleep(60_000, enough.signal);
  enough.abort();
  await expect(sleep).rejects.toMatchObject({ name: 'AbortError' });
});
