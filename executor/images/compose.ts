import { copyFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { UnikError } from '../../core/errors.js';
import { guestNamed } from '../guests/index.js';
import { digestFile, digestImage } from './digest.js';
import type { Image } from './image.js';
import type { ImageStore, StoredImage } from './store.js';
import type { RootTree } from './tree.js';

const KERNEL_FILE = 'kernel';

/** What an image says beside its root. */
export type ImageConfig = Omit<Image, 'schema' | 'digest' | 'root'>;

/**
 * Writes the tree as an image into the store, in the form that its guest reads: nothing is copied first, and nothing
 * half-made remains when it fails. Throws source_unreadable, disk_full, guest_unsupported.
 */
export async function composeImage(
  tree: RootTree,
  config: ImageConfig,
  store: ImageStore,
  signal?: AbortSignal,
): Promise<StoredImage> {
  const { root } = guestNamed(config.guest);
  if (!root)
    throw new UnikError(
      'guest_unsupported',
      `an image for the guest ${config.guest} is made of a kernel, not of files`,
    );
  const { format, file, prepare, write } = root;
  prepare?.(tree);
  return store.prepare(async (dir) => {
    const written = await write(tree.root, join(dir, file), signal);
    const image = { schema: 1 as const, ...config, root: { format, file, ...written } };
    return store.add(dir, { ...image, digest: digestImage(image) });
  });
}

/** An image that is a kernel, for a guest that brings its own. Throws disk_full. */
export async function kernelImage(path: string, config: ImageConfig, store: ImageStore): Promise<StoredImage> {
  return store.prepare(async (dir) => {
    const file = join(dir, KERNEL_FILE);
    await copyFile(path, file);
    const { size: bytes } = await stat(file);
    const root = { format: 'raw' as const, file: KERNEL_FILE, digest: await digestFile(file), bytes };
    const image = { schema: 1 as const, ...config, root };
    return store.add(dir, { ...image, digest: digestImage(image) });
  });
}
