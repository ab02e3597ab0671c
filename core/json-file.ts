import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { hasCode } from './errors.js';

/** Replaces `path` with the JSON of `value` so that a reader, or a crash, sees the old or the new file, never half. */
export async function writeJsonFile(path: string, value: unknown, mode = 0o600): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`, mode);
}

/** temp → fsync → rename → fsync of the folder. */
export async function writeFileAtomic(path: string, data: string | Uint8Array, mode = 0o600): Promise<void> {
  const dir = dirname(path);
  const temp = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const file = await openMakingFolder(temp, dir, mode);
    try {
      await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temp, path);
  } catch (err) {
    await rm(temp, { force: true });
    throw err;
  }
  await syncFolder(dir);
}

/** Of each folder: the sync that waits for the one under way to end. It will cover all renames up to its beginning. */
const waiting = new Map<string, Promise<void>>();
const underWay = new Map<string, Promise<void>>();

/** Makes names of the folder durable; those who ask while it is being done share the next time. */
function syncFolder(dir: string): Promise<void> {
  const before = underWay.get(dir);
  if (!before) return begin(dir);
  let next = waiting.get(dir);
  if (!next) {
    const follow = (): Promise<void> => {
      waiting.delete(dir);
      return begin(dir);
    };
    next = before.then(follow, follow);
    waiting.set(dir, next);
  }
  return next;
}

function begin(dir: string): Promise<void> {
  const sync = syncNow(dir).finally(() => {
    if (underWay.get(dir) === sync) underWay.delete(dir);
  });
  underWay.set(dir, sync);
  return sync;
}

async function syncNow(dir: string): Promise<void> {
  const folder = await open(dir, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** The parsed JSON, or undefined when the file does not exist. A broken file throws. */
export async function readJsonFile(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as unknown;
  } catch (err) {
    if (hasCode(err, 'ENOENT')) return undefined;
    throw err;
  }
}

async function openMakingFolder(path: string, dir: string, mode: number): Promise<Awaited<ReturnType<typeof open>>> {
  try {
    return await open(path, 'wx', mode);
  } catch (err) {
    if (!hasCode(err, 'ENOENT')) throw err;
    await mkdir(dir, { recursive: true, mode: 0o700 });
    return open(path, 'wx', mode);
  }
}
