import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { appendFile, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { setTimeout as delay } from 'node:timers/promises';
import { aMachineRecord } from '../../support/machine-record.js';
import type { ConsoleChunk, ConsolePosition } from '../../../executor/providers/provider.js';
import { tail } from '../../../executor/providers/qemu/console.js';
import { LogSpace } from '../../../executor/providers/qemu/log-space.js';
import { MachineFolder } from '../../../executor/providers/qemu/record.js';

const never = new AbortController().signal;
const MB = 1024 * 1024;

describe('console files', () => {
  let folder: MachineFolder;
  beforeEach(async () => {
    folder = new MachineFolder(join(await mkdtemp(join(tmpdir(), 'unik-console-')), 'one'));
    await folder.make();
    for (const name of ['serial.log', 'out.log', 'err.log']) await writeFile(join(folder.vm, name), '');
  });
  afterEach(() => rm(join(folder.path, '..'), { recursive: true, force: true }));

  const out = (): string => join(folder.vm, 'out.log');
  const collect = async (chunks: AsyncIterable<ConsoleChunk>): Promise<Record<string, string>> => {
    const text: Record<string, string> = { kernel: '', stdout: '', stderr: '' };
    for await (const { stream, bytes } of chunks) text[stream] = `${text[stream]}${Buffer.from(bytes).toString()}`;
    return text;
  };

  test('what is there comes first, then what is added, until the machine has ended', async () => {
    await writeFile(out(), 'one\n');
    let end: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => (end = resolve));
    const all = collect(tail(folder, {}, ended, never));
    for (const word of ['two\n', 'three\n']) {
      await delay(30);
      await appendFile(out(), word);
      await appendFile(join(folder.vm, 'err.log'), `not ${word}`);
    }
    await appendFile(join(folder.vm, 'serial.log'), 'power down');
    end();
    expect(await all).toEqual({ kernel: 'power down', stdout: 'one\ntwo\nthree\n', stderr: 'not two\nnot three\n' });
  });

  test('a reader goes on where another stopped', async () => {
    await writeFile(out(), 'x'.repeat(200_000) + 'y');
    const from: ConsolePosition = { stdout: 200_000 };
    expect((await collect(tail(folder, from, Promise.resolve(), never)))['stdout']).toBe('y');
  });

  test('a reader can be called off', async () => {
    const stop = new AbortController();
    const reading = collect(tail(folder, {}, new Promise<void>(() => undefined), stop.signal));
    stop.abort(new Error('enough'));
    await expect(reading).rejects.toThrow('enough');
  });

  test('is over when the folder is gone', async () => {
    await rm(folder.path, { recursive: true });
    expect(await collect(tail(folder, {}, Promise.resolve(), never))).toEqual({ kernel: '', stdout: '', stderr: '' });
  });

  test.each(['a symbolic link', 'a pipe'])('%s put in the place of a file is not read', async (what) => {
    const secret = join(folder.path, 'secret');
    await writeFile(secret, 'hunter2');
    await rm(out());
    if (what === 'a pipe') await execa('mkfifo', [out()]);
    else await symlink(secret, out());
    expect((await collect(tail(folder, {}, Promise.resolve(), never)))['stdout']).toBe('');
  });

  test('stored bytes leave the disk, and positions stay', async () => {
    await writeFile(out(), Buffer.alloc(4 * MB, 'x'));
    const before = await stat(out());
    const space = new LogSpace();
    await space.stored(aMachineRecord, folder, { stdout: 3 * MB + 5 });
    const after = await stat(out());
    expect(after.size).toBe(before.size);
    expect(before.blocks * 512 - after.blocks * 512).toBe(3 * MB);
    const rest = (await collect(tail(folder, { stdout: 3 * MB }, Promise.resolve(), never)))['stdout'];
    expect(rest).toBe('x'.repeat(MB));
  });
});
