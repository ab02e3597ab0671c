import type { WrittenRoot } from '../erofs/write.js';
import { Output } from '../erofs/output.js';
import { pad, writeContent } from '../content.js';
import { sorted } from '../paths.js';
import type { Entry, FileEntry, FolderEntry } from '../tree.js';
import { directoryEntry, inodeRecord, ROFS_BLOCK, superblock, symlinkRecord } from './format.js';

/**
 * Writes the tree as ROFS, the read-only file system of OSv, to the new file `path`, `before` bytes of which come first
 * and are written by `head`. Modes and owners have no place in it. Files are read once, in order.
 * Throws source_unreadable, disk_full.
 */
export async function writeRofs(
  tree: FolderEntry,
  path: string,
  { head, signal }: { head?: (bytes: number) => Uint8Array; signal?: AbortSignal | undefined } = {},
): Promise<WrittenRoot> {
  const plan = planRofs(tree);
  const out = new Output(path);
  try {
    const structure = plan.structure;
    const firstBlock = 1 + plan.dataBlocks;
    const blocks = firstBlock + Math.ceil(structure.length / ROFS_BLOCK);
    if (head) await out.write(head(blocks * ROFS_BLOCK));
    await out.write(superblock({ ...plan.counts, structureBlock: firstBlock, structureBlocks: blocks - firstBlock }));
    for (const file of plan.files) {
      signal?.throwIfAborted();
      await writeContent(file, out);
      await pad(out, ROFS_BLOCK);
    }
    await out.write(structure);
    await pad(out, ROFS_BLOCK);
    return { digest: await out.finish(), bytes: out.bytes };
  } finally {
    await out.close();
  }
}

interface RofsPlan {
  files: FileEntry[];
  dataBlocks: number;
  /** Directory entries, symlinks, inodes. */
  structure: Buffer;
  counts: { entries: number; symlinks: number; inodes: number };
}

/** Inodes are numbered from 1, the root's first; the children of a folder follow one another in the table of entries. */
function planRofs(tree: FolderEntry): RofsPlan {
  const queue: { entry: Entry; number: number }[] = [{ entry: tree, number: 1 }];
  const [entries, symlinks, inodes]: [Buffer[], Buffer[], Buffer[]] = [[], [], []];
  const files: FileEntry[] = [];
  let block = 1;
  // Breadth first: the queue grows while it is read.
  for (const { entry, number } of queue) {
    if (entry.kind === 'folder') {
      const children = sorted(entry);
      inodes.push(inodeRecord({ kind: 'folder', number, offset: entries.length, count: children.length }));
      for (const [name, child] of children) {
        const childNumber = queue.length + 1;
        queue.push({ entry: child, number: childNumber });
        entries.push(directoryEntry(childNumber, Buffer.from(name, 'latin1')));
      }
    } else if (entry.kind === 'symlink') {
      inodes.push(inodeRecord({ kind: 'symlink', number, offset: symlinks.length, count: 1 }));
      symlinks.push(symlinkRecord(entry.target));
    } else {
      inodes.push(inodeRecord({ kind: 'file', number, offset: block, count: entry.bytes }));
      files.push(entry);
      block += Math.ceil(entry.bytes / ROFS_BLOCK);
    }
  }
  return {
    files,
    dataBlocks: block - 1,
    structure: Buffer.concat([...entries, ...symlinks, ...inodes]),
    counts: { entries: entries.length, symlinks: symlinks.length, inodes: inodes.length },
  };
}
