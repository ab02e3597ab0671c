import { join } from 'node:path';
import { digestImage } from './digest.js';
import { writeErofs } from './erofs/write.js';
import type { Image } from './image.js';
import type { ImageStore, StoredImage } from './store.js';
import type { RootTree } from './tree.js';

const ROOT_FILE = 'root.erofs';

/** What an image says beside its root. */
export type ImageConfig = Omit<Image, 'schema' | 'digest' | 'root'>;

/**
 * Writes the tree as an image into the store: nothing is copied first, and nothing half-made remains when it fails.
 * Throws source_unreadable, disk_full.
 */
export async function composeImage(
  tree: RootTree,
  config: ImageConfig,
  store: ImageStore,
  signal?: AbortSignal,
): Promise<StoredImage> {
  return store.prepare(async (dir) => {
    const { digest, bytes } = await writeErofs(tree.root, join(dir, ROOT_FILE), signal);
    const image = { schema: 1 as const, ...config, root: { format: 'erofs' as const, file: ROOT_FILE, digest, bytes } };
    return store.add(dir, { ...image, digest: digestImage(image) });
  });
}
