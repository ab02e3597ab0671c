import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../../../core/errors.js';
import { readJsonFile } from '../../../core/json-file.js';
import type { ImageStore } from '../../../executor/images/store.js';

export interface PruneOptions {
  store: ImageStore;
  /** Folders of notes: `noteDirs`. */
  dirs: readonly string[];
  /** How many images that nothing runs may stay, so that a restart is quick. */
  keep: number;
  /** Digest of an image that a container runs, or is about to. */
  inUse: (digest: string) => boolean;
  /** Epoch milliseconds. */
  now: number;
}

interface Noted {
  path: string;
  image: string;
  used_at: number;
}

/** An image that was used a moment ago may be on its way to a machine that nobody knows of yet. */
const MOMENT_MS = 10 * 60_000;

/**
 * Removes the images of droplets and downloads that were used longest ago, with their notes, until `keep` unused ones
 * are left. Images with a name are the user's and stay. Gives the digests of those that went.
 */
export async function pruneImages({ store, dirs, keep, inUse, now }: PruneOptions): Promise<string[]> {
  const notes = (await Promise.all(dirs.map(notesIn))).flat().sort((a, b) => b.used_at - a.used_at);
  const unused = [...new Set(notes.map(({ image }) => image))].filter((image) => !inUse(image));
  const gone: string[] = [];
  for (const image of unused.slice(keep)) {
    const its = notes.filter((note) => note.image === image);
    if (its.some(({ used_at }) => now - used_at < MOMENT_MS) || (await store.names(image)).length > 0) continue;
    // The notes first: what they name must be there.
    for (const { path } of its) await rm(path, { force: true });
    try {
      await store.remove(image, { inUse });
      gone.push(image);
    } catch (err) {
      if (!hasCode(err, 'image_missing') && !hasCode(err, 'image_in_use')) throw err;
    }
  }
  return gone;
}

async function notesIn(dir: string): Promise<Noted[]> {
  const names = await readdir(dir).catch((err: unknown) => {
    if (hasCode(err, 'ENOENT')) return [];
    throw err;
  });
  const notes = names.filter((name) => name.endsWith('.json')).map((name) => noteAt(join(dir, name)));
  return (await Promise.all(notes)).flatMap((note) => note ?? []);
}

async function noteAt(path: string): Promise<Noted | undefined> {
  try {
    const note = (await readJsonFile(path)) as Partial<Noted> | undefined;
    return note?.image === undefined ? undefined : { path, image: note.image, used_at: (await stat(path)).mtimeMs };
  } catch {
    // Broken or gone meanwhile: who needs its image makes a new one.
    return undefined;
  }
}
