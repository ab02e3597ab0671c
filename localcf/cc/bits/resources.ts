/** Files of packages that came before, by sha1, so that `cf push` need not send them again. Bounded; oldest use goes first. */
import { copyFile, mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { hasCode } from '../../../core/errors.js';

/** Sizes worth keeping, as Cloud Controller's resource pool has them (`minimum_size`, `maximum_size`). */
export const MATCHED_BYTES = { least: 65_536, most: 536_870_912 } as const;

export interface ResourceCache {
  has(sha1: string, bytes: number): Promise<boolean>;
  /** Takes a copy of the file. */
  keep(path: string, sha1: string, bytes: number): Promise<void>;
  /** Brings a kept file to `path`; false: it is not there any more. */
  copyTo(sha1: string, path: string): Promise<boolean>;
}

export async function openResourceCache(folder: string, max_bytes: number): Promise<ResourceCache> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const sizes = await leftOver(folder);
  const place = (sha1: string): string => join(folder, sha1);

  async function makeRoom(): Promise<void> {
    let total = [...sizes.values()].reduce((sum, { bytes }) => sum + bytes, 0);
    const oldest = [...sizes].sort(([, a], [, b]) => a.used - b.used);
    for (const [sha1, { bytes }] of oldest) {
      if (total <= max_bytes) return;
      sizes.delete(sha1);
      total -= bytes;
      await rm(place(sha1), { force: true });
    }
  }

  return {
    has: async (sha1, bytes) => sizes.get(sha1)?.bytes === bytes,
    async keep(path, sha1, bytes) {
      if (sizes.has(sha1) || bytes < MATCHED_BYTES.least || bytes > Math.min(MATCHED_BYTES.most, max_bytes)) return;
      const temp = join(folder, `${randomBytes(8).toString('hex')}.tmp`);
      await copyFile(path, temp);
      await rename(temp, place(sha1));
      sizes.set(sha1, { bytes, used: Date.now() });
      await makeRoom();
    },
    async copyTo(sha1, path) {
      const known = sizes.get(sha1);
      if (!known) return false;
      try {
        await copyFile(place(sha1), path);
      } catch (err) {
        if (!hasCode(err, 'ENOENT')) throw err;
        sizes.delete(sha1);
        return false;
      }
      known.used = Date.now();
      await utimes(place(sha1), new Date(), new Date());
      return true;
    },
  };
}

async function leftOver(folder: string): Promise<Map<string, { bytes: number; used: number }>> {
  const found = new Map<string, { bytes: number; used: number }>();
  for (const name of await readdir(folder)) {
    if (!/^[0-9a-f]{40}$/.test(name)) await rm(join(folder, name), { force: true });
    else {
      const { size, mtimeMs } = await stat(join(folder, name));
      found.set(name, { bytes: size, used: mtimeMs });
    }
  }
  return found;
}
