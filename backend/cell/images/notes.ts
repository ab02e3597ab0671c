import { utimes } from 'node:fs/promises';
import { readJsonFile } from '../../../core/json-file.js';
import type { Image } from '../../../executor/images/image.js';
import type { ImageStore } from '../../../executor/images/store.js';

/** Which image came out of a droplet, or of some downloads; its time is when it was last used. */
export interface Note {
  image: string;
  /** Size of the droplet as it was fetched; of downloads, what those hold that count against an order's disk. */
  bytes: number;
}

/** The noted image; undefined when the note or its image is broken or gone, and it has to be made again. */
export async function knownImage(path: string, store: ImageStore): Promise<(Note & { found: Image }) | undefined> {
  try {
    const note = (await readJsonFile(path)) as Note | undefined;
    if (!note) return undefined;
    const found = await store.getSound(note.image);
    const now = new Date();
    await utimes(path, now, now);
    return { ...note, found };
  } catch {
    // Whatever is wrong with it, making it anew mends it.
    return undefined;
  }
}
