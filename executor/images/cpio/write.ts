import type { WrittenRoot } from '../erofs/write.js';
import { Output } from '../erofs/output.js';
import { pad, writeContent } from '../content.js';
import { walk } from '../paths.js';
import type { Entry, FolderEntry } from '../tree.js';
import { cpioHeader, S_IFDIR, S_IFLNK, S_IFREG } from './format.js';

/**
 * Writes the tree as an uncompressed cpio archive ("new ASCII") to the new file `path`. It depends on names, modes and
 * bytes only; a few megabytes are held at a time. Throws source_unreadable, disk_full, bad_request for a file above 4 GB.
 */
export async function writeCpio(tree: FolderEntry, path: string, signal?: AbortSignal): Promise<WrittenRoot> {
  const out = new Output(path);
  try {
    let inode = 1;
    for (const { path: name, entry } of walk(tree)) {
      signal?.throwIfAborted();
      const bytes = sizeOf(entry);
      await out.write(cpioHeader({ inode: inode++, mode: modeOf(entry), bytes, name: Buffer.from(name, 'latin1') }));
      if (entry.kind === 'symlink') await out.write(entry.target);
      if (entry.kind === 'file') await writeContent(entry, out);
      await pad(out, 4);
    }
    await out.write(cpioHeader({ inode: 0, mode: 0, bytes: 0, name: Buffer.from('TRAILER!!!') }));
    // Readers of tapes want whole blocks, and so do some kernels.
    await pad(out, 512);
    return { digest: await out.finish(), bytes: out.bytes };
  } finally {
    await out.close();
  }
}

function sizeOf(entry: Entry): number {
  return entry.kind === 'file' ? entry.bytes : entry.kind === 'symlink' ? entry.target.length : 0;
}

function modeOf(entry: Entry): number {
  if (entry.kind === 'folder') return S_IFDIR | entry.mode;
  if (entry.kind === 'symlink') return S_IFLNK | 0o777;
  return S_IFREG | entry.mode;
}
