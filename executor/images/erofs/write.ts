import { crc32 } from 'node:zlib';
import type { FolderEntry } from '../tree.js';
import * as format from './format.js';
import { BLOCK } from './format.js';
import { inlineBytes, layOut, spaceOf, type Placed } from './layout.js';
import { Output } from './output.js';
import { readSmallSource, readSource, type Rest, type SourceFile } from './read-source.js';

export interface WrittenRoot {
  /** `sha256:<hex>` of the file. */
  digest: string;
  bytes: number;
}

/** Fixed, as everything in an image is a function of its files. */
const UUID = Buffer.from('756e696b2d726f6f742d65726f667301', 'hex');
/** 2000-01-01. */
const FIRST_MTIME = 946_684_800;

/**
 * Writes the tree as an EROFS image to the new file `path` and gives its digest. The image depends on names, modes,
 * owners and bytes only. Every file is read once, and a few megabytes are held at a time.
 * Throws source_unreadable (naming the file), disk_full; the half-written file is the caller's to remove.
 */
export async function writeErofs(tree: FolderEntry, path: string, signal?: AbortSignal): Promise<WrittenRoot> {
  const layout = layOut(tree);
  const out = new Output(path);
  try {
    const first = Buffer.alloc(BLOCK);
    format
      .superblock({ rootNid: layout.root.nid, inodes: layout.inodes, blocks: layout.blocks, uuid: UUID })
      .copy(first, format.SUPERBLOCK_OFFSET);
    await out.write(first);
    // What follows the whole blocks of a file is kept from the one reading of it until its inode's turn.
    const rests = new Map<Placed, Rest>();
    for (const step of layout.steps) {
      signal?.throwIfAborted();
      if (step.write === 'data') rests.set(step.of, await writeData(step.of, out));
      else await out.write(inodeBlock(step.of, rests));
    }
    return { digest: await out.finish(), bytes: out.bytes };
  } finally {
    await out.close();
  }
}

/** Writes an inode's whole blocks, padded to the block; what belongs behind the inode is given back. */
async function writeData(placed: Placed, out: Output): Promise<Rest> {
  const end = out.bytes + placed.blocks * BLOCK;
  const apart = placed.size - inlineBytes(placed);
  const file = sourceOf(placed);
  if (file) {
    const rest = await readSource(file, apart, out);
    await out.write(Buffer.alloc(end - out.bytes));
    return rest;
  }
  const bytes = bytesOf(placed);
  await out.write(bytes.subarray(0, apart));
  await out.write(Buffer.alloc(end - out.bytes));
  return { bytes: bytes.subarray(apart), crc: crc32(bytes) };
}

function inodeBlock(inodes: readonly Placed[], rests: Map<Placed, Rest>): Buffer {
  const block = Buffer.alloc(BLOCK);
  let at = 0;
  for (const placed of inodes) {
    const { entry, ino, links, size, layout, hasTime } = placed;
    const crc = writeInline(placed, rests, block, at + placed.inodeBytes);
    const { uid, gid } = entry;
    const mtime = hasTime ? mtimeOf(crc) : 0;
    const inode = { mode: modeOf(placed), uid, gid, links, size, ino, layout, block: placed.block, mtime };
    format.writeInode(inode, placed.inodeBytes, block, at);
    at += spaceOf(placed);
  }
  return block;
}

/** Puts what belongs behind an inode there; gives the CRC of the inode's whole data. */
function writeInline(placed: Placed, rests: Map<Placed, Rest>, block: Buffer, at: number): number {
  const rest = rests.get(placed);
  const file = rest ? undefined : sourceOf(placed);
  if (file) return readSmallSource(file, block, at);
  const { bytes, crc } = rest ?? inMemory(placed);
  bytes.copy(block, at);
  rests.delete(placed);
  return crc;
}

function inMemory(placed: Placed): Rest {
  const bytes = bytesOf(placed);
  return { bytes, crc: crc32(bytes) };
}

/** A file that is read when the image is written; undefined for what is in memory. */
function sourceOf({ entry, size, hasTime }: Placed): SourceFile | undefined {
  if (entry.kind !== 'file' || entry.content instanceof Uint8Array) return undefined;
  return { path: entry.content.path, size, withCrc: hasTime };
}

function modeOf({ entry }: Placed): number {
  if (entry.kind === 'folder') return format.S_IFDIR | entry.mode;
  if (entry.kind === 'symlink') return format.S_IFLNK | 0o777;
  return format.S_IFREG | entry.mode;
}

/** Of what is in memory. */
function bytesOf({ entry, dirents = [] }: Placed): Buffer {
  if (entry.kind === 'symlink') return entry.target;
  if (entry.kind === 'folder') return format.writeDirents(dirents, ({ to }) => to.nid);
  return entry.content instanceof Uint8Array ? Buffer.from(entry.content) : Buffer.alloc(0);
}

/**
 * A file's time is a function of its bytes: the image stays reproducible, and yet a file that changed has another
 * time, which servers that make an ETag of time and size rely on.
 */
function mtimeOf(crc: number): number {
  return FIRST_MTIME + (crc >>> 4);
}
