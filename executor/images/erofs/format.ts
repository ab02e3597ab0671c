/**
 * The on-disk records of EROFS (Linux: Documentation/filesystems/erofs.rst, fs/erofs/erofs_fs.h), as far as a
 * read-only image without compression and extended attributes needs them. Little-endian throughout.
 */

export const BLOCK = 4096;
/** Inodes lie on multiples of this; an inode's number is its offset in the image divided by it. */
export const SLOT = 32;
export const COMPACT_INODE = 32;
export const EXTENDED_INODE = 64;
export const SUPERBLOCK_OFFSET = 1024;

const MAGIC = 0xe0f5e1e2;
const DIRENT = 12;

export const S_IFREG = 0o100000;
export const S_IFDIR = 0o040000;
export const S_IFLNK = 0o120000;

/** `plain`: all bytes in blocks of their own. `inline`: whole blocks apart, the rest right behind the inode. */
export type DataLayout = 'plain' | 'inline';
const LAYOUT_NUMBER: Record<DataLayout, number> = { plain: 0, inline: 2 };

export function superblock(image: { rootNid: number; inodes: number; blocks: number; uuid: Buffer }): Buffer {
  const bytes = Buffer.alloc(128);
  bytes.writeUInt32LE(MAGIC, 0);
  bytes.writeUInt8(Math.log2(BLOCK), 12);
  bytes.writeUInt16LE(image.rootNid, 14);
  bytes.writeBigUInt64LE(BigInt(image.inodes), 16);
  bytes.writeUInt32LE(image.blocks, 36);
  image.uuid.copy(bytes, 48, 0, 16);
  return bytes;
}

export interface InodeRecord {
  mode: number;
  uid: number;
  gid: number;
  links: number;
  size: number;
  ino: number;
  layout: DataLayout;
  /** First block of the data that lies apart. */
  block: number;
  /** Seconds since the epoch; only the big record holds it. */
  mtime: number;
}

/** The small record holds neither a time nor a big size; which of the two it is must be known before its place is. */
export function inodeBytes(inode: { size: number; links: number; hasTime: boolean }): number {
  return inode.hasTime || inode.size > 0xffffffff || inode.links > 0xffff ? EXTENDED_INODE : COMPACT_INODE;
}

/** Writes the record into `into` at `at`, in the form that `bytes` (32 or 64) says. */
export function writeInode(inode: InodeRecord, bytes: number, into: Buffer, at: number): void {
  const extended = bytes === EXTENDED_INODE;
  into.writeUInt16LE((LAYOUT_NUMBER[inode.layout] << 1) | (extended ? 1 : 0), at);
  into.writeUInt16LE(inode.mode, at + 4);
  into.writeUInt32LE(inode.block, at + 16);
  into.writeUInt32LE(inode.ino, at + 20);
  if (extended) {
    into.writeBigUInt64LE(BigInt(inode.size), at + 8);
    into.writeUInt32LE(inode.uid, at + 24);
    into.writeUInt32LE(inode.gid, at + 28);
    into.writeBigUInt64LE(BigInt(inode.mtime), at + 32);
    into.writeUInt32LE(inode.links, at + 44);
  } else {
    into.writeUInt16LE(inode.links, at + 6);
    into.writeUInt32LE(inode.size, at + 8);
    into.writeUInt16LE(inode.uid, at + 24);
    into.writeUInt16LE(inode.gid, at + 26);
  }
}

export type FileType = 'file' | 'folder' | 'symlink';
const TYPE_NUMBER: Record<FileType, number> = { file: 1, folder: 2, symlink: 7 };

/** A name in a folder; `name` holds one character per byte. */
export interface Dirent {
  name: string;
  type: FileType;
}

/** Splits a folder's sorted names over blocks: each block holds its records, then their names. */
export function splitDirents<T extends Dirent>(sorted: readonly T[]): T[][] {
  const blocks: T[][] = [];
  let room = 0;
  for (const dirent of sorted) {
    const need = DIRENT + dirent.name.length;
    if (need > room) {
      blocks.push([]);
      room = BLOCK;
    }
    blocks.at(-1)?.push(dirent);
    room -= need;
  }
  return blocks;
}

/** Bytes of a folder's data: whole blocks, and of the last one only what is used. */
export function direntBytes(blocks: readonly (readonly Dirent[])[]): number {
  const last = blocks.at(-1) ?? [];
  return (blocks.length - 1) * BLOCK + last.reduce((sum, dirent) => sum + DIRENT + dirent.name.length, 0);
}

/** The data of a folder; `nidOf` says which inode a name stands for. */
export function writeDirents<T extends Dirent>(
  blocks: readonly (readonly T[])[],
  nidOf: (dirent: T) => number,
): Buffer {
  const bytes = Buffer.alloc(direntBytes(blocks));
  blocks.forEach((block, index) => {
    let at = index * BLOCK;
    let nameAt = block.length * DIRENT;
    for (const dirent of block) {
      const { name, type } = dirent;
      bytes.writeBigUInt64LE(BigInt(nidOf(dirent)), at);
      bytes.writeUInt16LE(nameAt, at + 8);
      bytes.writeUInt8(TYPE_NUMBER[type], at + 10);
      bytes.write(name, index * BLOCK + nameAt, 'latin1');
      at += DIRENT;
      nameAt += name.length;
    }
  });
  return bytes;
}
