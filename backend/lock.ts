import { randomBytes } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { hasCode, UnikError } from '../core/errors.js';
import { identify, isAlive, type ProcessIdentity } from '../core/process.js';

const lockSchema = z.object({ pid: z.number().int(), start_ticks: z.string() });

/**
 * At most one daemon per home. The file names its holder by pid and start time, so the lock of a process that died,
 * even when another now has its number, is taken over. Gives the release. Throws daemon_running.
 */
export async function takeLock(path: string): Promise<() => Promise<void>> {
  const self = await identify(process.pid);
  if (!self) throw new UnikError('internal', 'this process is not in /proc');
  const own = `${path}.${randomBytes(6).toString('hex')}`;
  await writeFile(own, `${JSON.stringify(self)}\n`, { mode: 0o600, flag: 'wx' });
  try {
    // Only the link makes the lock: it appears whole, and only where there was none.
    while (!(await linked(own, path))) await clearStale(path);
  } finally {
    await rm(own, { force: true });
  }
  return async () => {
    const holder = await readHolder(path);
    if (holder?.pid === self.pid && holder.start_ticks === self.start_ticks) await rm(path, { force: true });
  };
}

/** Who holds the lock now; undefined when nobody alive does. */
export async function lockHolder(path: string): Promise<ProcessIdentity | undefined> {
  const holder = await readHolder(path);
  return holder && (await isAlive(holder)) ? holder : undefined;
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (err) {
    if (hasCode(err, 'EEXIST')) return false;
    throw err;
  }
}

async function clearStale(path: string): Promise<void> {
  await refuseLiving(path, path);
  const aside = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await rename(path, aside);
  } catch (err) {
    if (hasCode(err, 'ENOENT')) return;
    throw err;
  }
  try {
    // Between the look and the rename another daemon may have done the same and won.
    await refuseLiving(aside, path);
  } catch (err) {
    await linked(aside, path);
    throw err;
  } finally {
    await rm(aside, { force: true });
  }
}

async function refuseLiving(file: string, name: string): Promise<void> {
  const holder = await readHolder(file);
  if (holder && (await isAlive(holder))) {
    throw new UnikError('daemon_running', `a daemon with pid ${holder.pid} already runs here (${name})`);
  }
}

async function readHolder(path: string): Promise<ProcessIdentity | undefined> {
  try {
    return lockSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    // Gone, or not a lock at all: either way nobody holds it.
    return undefined;
  }
}
