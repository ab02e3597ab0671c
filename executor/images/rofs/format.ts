/** ROFS: 512-byte blocks, little-endian. Source: OSv, fs/rofs/rofs.hh and scripts/gen-rofs-img.py (2026-08). */
export const ROFS_BLOCK = 512;
export const ROFS_MAGIC = 0xdeadbeadn;
export const ROFS_MODES = { folder: 0x4000, file: 0x8000, symlink: 0xa000 } as const;
export type RofsKind = keyof typeof ROFS_MODES;

export interface RofsCounts {
  structureBlock: number;
  structureBlocks: number;
  entries: number;
  symlinks: number;
  inodes: number;
}

export function superblock(counts: RofsCounts): Buffer {
  const block = Buffer.alloc(ROFS_BLOCK);
  const { structureBlock, structureBlocks, entries, symlinks, inodes } = counts;
  const words = [1, ROFS_BLOCK, structureBlock, structureBlocks, entries, symlinks, inodes].map(BigInt);
  [ROFS_MAGIC, ...words].forEach((word, i) => block.writeBigUInt64LE(word, i * 8));
  return block;
}

export function directoryEntry(inode: number, name: Uint8Array): Buffer {
  const record = Buffer.alloc(10 + name.length);
  record.writeBigUInt64LE(BigInt(inode));
  record.writeUInt16LE(name.length, 8);
  record.set(name, 10);
  return record;
}

export function symlinkRecord(target: Uint8Array): Buffer {
  const record = Buffer.alloc(2 + target.length);
  record.writeUInt16LE(target.length);
  record.set(target, 2);
  return record;
}

export const INODE_BYTES = 32;

/** `offset`: of a folder its first directory entry, of a symlink its place in their table, of a file its first block. */
export function inodeRecord(of: { kind: RofsKind; number: number; offset: number; count: number }): Buffer {
  const record = Buffer.alloc(INODE_BYTES);
  [ROFS_MODES[of.kind], of.number, of.offset, of.count].forEach((word, i) =>
    record.writeBigUInt64LE(BigInt(word), i * 8),
  );
  return record;
}
