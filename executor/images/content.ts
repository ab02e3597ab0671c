import { readSource } from './erofs/read-source.js';
import type { Output } from './erofs/output.js';
import type { FileEntry } from './tree.js';

/** Writes a file's bytes to `out`, read once. Throws source_unreadable, naming a file that has changed. */
export async function writeContent({ content, bytes }: FileEntry, out: Output): Promise<void> {
  if (content instanceof Uint8Array) await out.write(content);
  else await readSource({ path: content.path, size: bytes, withCrc: false }, bytes, out);
}

/** Writes zeros up to the next multiple of `unit` bytes. */
export async function pad(out: Output, unit: number): Promise<void> {
  await out.write(new Uint8Array(-out.bytes & (unit - 1)));
}
