import { createHash } from 'node:crypto';
import { crc32 } from './crc32.js';

export const SECTOR = 512;
/** Sectors that the table takes at either end: head, entries, and at the front the protective sector. */
export const FRONT_SECTORS = 34;
const BACK_SECTORS = 33;
const ENTRIES = 128;
const ENTRY = 128;

/** UEFI's partition types. */
export const TYPES = {
  efi: 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b',
  bios: '21686148-6449-6e6f-744e-656564454649',
  linux: '0fc63daf-8483-4772-8e79-3d69d8477de4',
} as const;

export interface Partition {
  /** At most 36 characters; the guest finds it by this. */
  name: string;
  type: keyof typeof TYPES;
  /** In sectors, the last one counted. */
  first: number;
  last: number;
}

/** Sectors of a disk whose last partition ends with sector `last`. */
export function diskSectors(last: number): number {
  return last + 1 + BACK_SECTORS;
}

/**
 * A GUID partition table (UEFI 2.10, chapter 5) for a disk of so many sectors: what to write at its start, protective
 * MBR with this boot code first, and at which byte the copy at its end. `seed` decides the ids.
 */
export function partitionTable(
  partitions: readonly Partition[],
  { sectors, bootCode, seed }: { sectors: number; bootCode: Buffer; seed: string },
): { front: Buffer; back: Buffer; backAt: number } {
  const entries = Buffer.alloc(ENTRIES * ENTRY);
  for (const [index, partition] of partitions.entries()) {
    const at = index * ENTRY;
    guid(TYPES[partition.type]).copy(entries, at);
    guidOf(`${seed} ${partition.name}`).copy(entries, at + 16);
    entries.writeBigUInt64LE(BigInt(partition.first), at + 32);
    entries.writeBigUInt64LE(BigInt(partition.last), at + 40);
    entries.write(partition.name, at + 56, 72, 'utf16le');
  }
  const head = (here: number, other: number, table: number): Buffer => {
    const sector = Buffer.alloc(SECTOR);
    sector.write('EFI PART', 0, 'latin1');
    sector.writeUInt32LE(0x10000, 8);
    sector.writeUInt32LE(92, 12);
    sector.writeBigUInt64LE(BigInt(here), 24);
    sector.writeBigUInt64LE(BigInt(other), 32);
    sector.writeBigUInt64LE(BigInt(FRONT_SECTORS), 40);
    sector.writeBigUInt64LE(BigInt(sectors - BACK_SECTORS - 1), 48);
    guidOf(seed).copy(sector, 56);
    sector.writeBigUInt64LE(BigInt(table), 72);
    sector.writeUInt32LE(ENTRIES, 80);
    sector.writeUInt32LE(ENTRY, 84);
    sector.writeUInt32LE(crc32(entries), 88);
    sector.writeUInt32LE(crc32(sector.subarray(0, 92)), 16);
    return sector;
  };
  const end = sectors - 1;
  return {
    front: Buffer.concat([protectiveMbr(sectors, bootCode), head(1, end, 2), entries]),
    back: Buffer.concat([entries, head(end, 1, sectors - BACK_SECTORS)]),
    backAt: (sectors - BACK_SECTORS) * SECTOR,
  };
}

function protectiveMbr(sectors: number, bootCode: Buffer): Buffer {
  const mbr = Buffer.alloc(SECTOR);
  bootCode.copy(mbr, 0, 0, 440);
  // Not marked active: UEFI then no longer takes it for protective.
  Buffer.from([0x00, 0x00, 0x02, 0x00, 0xee, 0xff, 0xff, 0xff]).copy(mbr, 446);
  mbr.writeUInt32LE(1, 454);
  mbr.writeUInt32LE(Math.min(sectors - 1, 0xffffffff), 458);
  mbr.writeUInt16LE(0xaa55, 510);
  return mbr;
}

/** As UEFI stores it: the first three groups little-endian. */
function guid(text: string): Buffer {
  const bytes = Buffer.from(text.replaceAll('-', ''), 'hex');
  bytes.subarray(0, 4).reverse();
  bytes.subarray(4, 6).reverse();
  bytes.subarray(6, 8).reverse();
  return bytes;
}

function guidOf(seed: string): Buffer {
  const bytes = createHash('sha256').update(seed).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(7) & 0x0f) | 0x40, 7);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes;
}
