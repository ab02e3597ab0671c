import { createHash, type Hash } from 'node:crypto';
import { closeSync, fstatSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { hasCode, messageOf, UnikError } from '../../../core/errors.js';
import type { FileEntry, FolderEntry } from '../tree.js';
import * as format from './format.js';
import { BLOCK } from './format.js';
import { inlineBytes, layOut, spaceOf, type Placed } from './layout.js';

export interface WrittenRoot {
  /** `sha256:<hex>` of the file. */
  digest: string;
  bytes: number;
  files: number;
}

/** How much is read or written at once, and after how much other work of this process gets its turn. */
const CHUNK = 1024 * 1024;
const TURN = 4 * CHUNK;
/** Fixed, as everything in an image is a function of its files. */
const UUID = Buffer.from('756e696b2d726f6f742d65726f667301', 'hex');
/** 2000-01-01. */
const FIRST_MTIME = 946_684_800;

/**
 * Writes the tree as an EROFS image to the new file `path` and gives its digest. The image depends on names, modes,
 * owners and bytes only. Holds one chunk in memory, never a file.
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
    out.write(first);
    // What follows the whole blocks of a file is kept from the one reading of it until its inode's turn.
    const tails = new Map<Placed, Tail>();
    let turn = TURN;
    for (const step of layout.steps) {
      if (step.write === 'data') tails.set(step.of, writeData(step.of, out));
      else out.write(inodeBlock(step.of, tails));
      if (out.bytes > turn) {
        turn = out.bytes + TURN;
        await setImmediate();
        signal?.throwIfAborted();
      }
    }
    return { digest: out.finish(), bytes: out.bytes, files: layout.inodes };
  } finally {
    out.close();
  }
}

interface Tail {
  bytes: Buffer;
  mtime: number;
}

function inodeBlock(inodes: readonly Placed[], tails: Map<Placed, Tail>): Buffer {
  const block = Buffer.alloc(BLOCK);
  let at = 0;
  for (const placed of inodes) {
    const tail = tails.get(placed) ?? readAll(placed, () => undefined);
    tails.delete(placed);
    const { entry, ino, links, size, layout } = placed;
    const { uid, gid } = entry;
    format.writeInode(
      { mode: modeOf(placed), uid, gid, links, size, ino, layout, block: placed.block, mtime: tail.mtime },
      placed.inodeBytes,
      block,
      at,
    );
    tail.bytes.copy(block, at + placed.inodeBytes);
    at += spaceOf(placed);
  }
  return block;
}

function modeOf({ entry }: Placed): number {
  if (entry.kind === 'folder') return format.S_IFDIR | entry.mode;
  if (entry.kind === 'symlink') return format.S_IFLNK | 0o777;
  return format.S_IFREG | entry.mode;
}

/** Writes the whole blocks of an inode's data, padded to the block; what belongs behind the inode is given back. */
function writeData(placed: Placed, out: Output): Tail {
  const before = out.bytes;
  const tail = readAll(placed, (bytes) => out.write(bytes));
  const padding = before + placed.blocks * BLOCK - out.bytes;
  if (padding > 0) out.write(Buffer.alloc(padding));
  return tail;
}

/** Passes the data that lies apart to `use`, and gives the rest. */
function readAll(placed: Placed, use: (bytes: Uint8Array) => void): Tail {
  const { entry } = placed;
  if (entry.kind === 'file') return readFileOnce(placed, entry, use);
  const bytes =
    entry.kind === 'symlink'
      ? entry.target
      : format.writeDirents((placed.dirents ?? []).map((block) => block.map((d) => ({ ...d, nid: d.to.nid }))));
  return split(placed, bytes, 0, use);
}

function readFileOnce(placed: Placed, entry: FileEntry, use: (bytes: Uint8Array) => void): Tail {
  if (entry.content instanceof Uint8Array) {
    const bytes = Buffer.from(entry.content.buffer, entry.content.byteOffset, entry.content.byteLength);
    return split(placed, bytes, mtimeOf(crc32(bytes)), use);
  }
  const { path } = entry.content;
  const apart = placed.size - inlineBytes(placed);
  const fd = openSource(path);
  try {
    if (fstatSync(fd).size !== placed.size) throw changed(path);
    let crc = 0;
    for (let at = 0; at < apart;) {
      const bytes = readExactly(fd, path, Math.min(CHUNK, apart - at));
      crc = crc32(bytes, crc);
      use(bytes);
      at += bytes.length;
    }
    const bytes = readExactly(fd, path, placed.size - apart);
    return { bytes, mtime: mtimeOf(crc32(bytes, crc)) };
  } finally {
    closeSync(fd);
  }
}

function split(placed: Placed, bytes: Buffer, mtime: number, use: (bytes: Uint8Array) => void): Tail {
  const apart = placed.size - inlineBytes(placed);
  if (apart > 0) use(bytes.subarray(0, apart));
  return { bytes: bytes.subarray(apart), mtime };
}

/**
 * A file's time is a function of its bytes: the image stays reproducible, and yet a file that changed has another
 * time, which servers that make an ETag of time and size rely on.
 */
function mtimeOf(crc: number): number {
  return FIRST_MTIME + (crc >>> 4);
}

function openSource(path: Buffer): number {
  try {
    return openSync(path, 'r');
  } catch (err) {
    if (hasCode(err, 'ENOENT')) throw changed(path);
    throw new UnikError('source_unreadable', `cannot read ${path.toString()}: ${messageOf(err)}`, { cause: err });
  }
}

function readExactly(fd: number, path: Buffer, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let done = 0; done < length;) {
    const n = readSync(fd, bytes, done, length - done, null);
    if (n === 0) throw changed(path);
    done += n;
  }
  return bytes;
}

function changed(path: Buffer): UnikError {
  return new UnikError('source_unreadable', `${path.toString()} changed while it was being packed`);
}

/** The image file, front to back, hashed on the way. */
class Output {
  readonly #fd: number;
  readonly #hash: Hash = createHash('sha256');
  readonly #pending = Buffer.allocUnsafe(CHUNK);
  #filled = 0;
  bytes = 0;

  constructor(path: string) {
    this.#fd = openSync(path, 'wx', 0o600);
  }

  write(bytes: Uint8Array): void {
    this.bytes += bytes.length;
    if (bytes.length >= CHUNK) {
      this.#flush();
      this.#store(bytes);
      return;
    }
    if (this.#filled + bytes.length > CHUNK) this.#flush();
    this.#pending.set(bytes, this.#filled);
    this.#filled += bytes.length;
  }

  finish(): string {
    this.#flush();
    fsyncSync(this.#fd);
    return `sha256:${this.#hash.digest('hex')}`;
  }

  close(): void {
    closeSync(this.#fd);
  }

  #flush(): void {
    this.#store(this.#pending.subarray(0, this.#filled));
    this.#filled = 0;
  }

  #store(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    for (let done = 0; done < bytes.length;) done += writeSync(this.#fd, bytes, done);
  }
}
