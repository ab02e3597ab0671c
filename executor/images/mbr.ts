/** The partition table in the first sector of a disk. */
export interface Partition {
  /** 1 to 4. */
  index: number;
  active: boolean;
  type: number;
  /** In sectors of 512 bytes. */
  start: number;
  sectors: number;
}

export const MBR_BYTES = 512;
export const TABLE_AT = 446;
export const ENTRY_BYTES = 16;

/** Where a partition's entry stands in the first sector. */
export const entryAt = (index: number): number => TABLE_AT + (index - 1) * ENTRY_BYTES;

/**
 * An entry of the table. Cylinders and heads are those of a disk beyond their reach, as everybody goes by the sector
 * numbers; but they are never zero: OSv skips an entry whose start has sector 0 there.
 */
export function partitionEntry({ active, type, start, sectors }: Omit<Partition, 'index'>): Buffer {
  const entry = Buffer.alloc(ENTRY_BYTES);
  entry[0] = active ? 0x80 : 0;
  entry.set([0xfe, 0xff, 0xff], 1);
  entry[4] = type;
  entry.set([0xfe, 0xff, 0xff], 5);
  entry.writeUInt32LE(start, 8);
  entry.writeUInt32LE(sectors, 12);
  return entry;
}

/** A first sector without code. */
export function mbr(partitions: readonly Partition[]): Buffer {
  const sector = Buffer.alloc(MBR_BYTES);
  for (const partition of partitions) partitionEntry(partition).copy(sector, entryAt(partition.index));
  sector.set([0x55, 0xaa], 510);
  return sector;
}
