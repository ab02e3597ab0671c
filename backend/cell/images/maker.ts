import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../../../core/errors.js';
import type { ImageStore } from '../../../executor/images/store.js';
import type { Arch } from '../../../executor/model.js';
import { folderBase, hostBase } from './base-tree.js';
import { composingWhereNeeded, createComposer } from './compose-at-start.js';
import { createDroplets, type Fetcher, type ImageMaker } from './droplets.js';

export interface ImageMakerOptions {
  store: ImageStore;
  fetcher: Fetcher;
  /** Our folder: `droplets/` and `composed/` in it are ours. */
  home: string;
  arch: Arch;
  /** The option `compose_at_start`: a root file system that the operator unpacked, else this host's programs by PATH. */
  compose?: { base?: string; path: string };
}

/** Where the notes lie that say which image came out of what; for `pruneImages`. */
export const noteDirs = (home: string): string[] => [join(home, 'droplets'), join(home, 'composed/made')];

/** Finds or makes the image of every order of this cell. */
export async function createImageMaker(options: ImageMakerOptions): Promise<ImageMaker> {
  const { store, fetcher, home, arch, compose } = options;
  const droplets = createDroplets({ store, fetcher, dir: join(home, 'droplets') });
  const dir = join(home, 'composed');
  await sweep(dir);
  if (!compose) return droplets;
  const base = async () => (compose.base === undefined ? hostBase(compose.path, arch) : folderBase(compose.base));
  return composingWhereNeeded(droplets, createComposer({ store, fetcher, dir, arch, base }));
}

/** What a process that was killed had unpacked. */
async function sweep(dir: string): Promise<void> {
  try {
    const left = (await readdir(dir)).filter((name) => name.startsWith('unpack-'));
    await Promise.all(left.map((name) => rm(join(dir, name), { recursive: true, force: true })));
  } catch (err) {
    if (!hasCode(err, 'ENOENT')) throw err;
  }
}
