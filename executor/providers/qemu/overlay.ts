import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Configured } from '../../guests/guest.js';

/** qcow2, version 3. Source: QEMU's documentation, docs/interop/qcow2.txt. */
const CLUSTER_BITS = 16;
const CLUSTER = 1 << CLUSTER_BITS;
/** Entries of a second-level table, which fills a cluster. */
const PER_TABLE = CLUSTER / 8;
/** The entry points at a cluster that nobody else uses. */
const COPIED = 1n << 63n;
const BACKING_FORMAT = 0xe2792aca;

export type Patch = Omit<NonNullable<Configured['patches']>[number], 'disk'>;

export interface OverlayOptions {
  /** Name of the file below, in the same folder as the overlay. */
  base: string;
  dir: string;
  /** Size of the disk; what the base lacks reads as zeros. */
  bytes: number;
  /** Written over the base, one after the other. */
  patches: readonly Patch[];
}

/** Makes a qcow2 file over a raw one that is never written: a machine's own layer, with its first contents in it. */
export async function writeOverlay(path: string, { base, dir, bytes, patches }: OverlayOptions): Promise<void> {
  const below = await open(join(dir, base), 'r');
  const file = await open(path, 'wx', 0o600);
  try {
    const clusters = await patched(below, patches);
    await writeClusters(file, { base, bytes, clusters });
  } finally {
    await Promise.all([below.close(), file.close()]);
  }
}

/** The clusters that a patch touches, by number, as they are with all patches. */
async function patched(below: FileHandle, patches: readonly Patch[]): Promise<Map<number, Buffer>> {
  const clusters = new Map<number, Buffer>();
  for (const { offset, content } of patches) {
    const bytes = content instanceof Uint8Array ? content : await contentOf(content.from);
    for (let done = 0; done < bytes.length;) {
      const number = Math.floor((offset + done) / CLUSTER);
      const inside = (offset + done) % CLUSTER;
      const part = bytes.subarray(done, done + CLUSTER - inside);
      let cluster = clusters.get(number);
      if (!cluster) {
        cluster = Buffer.alloc(CLUSTER);
        if (part.length < CLUSTER) await below.read(cluster, 0, CLUSTER, number * CLUSTER);
        clusters.set(number, cluster);
      }
      cluster.set(part, inside);
      done += part.length;
    }
  }
  return clusters;
}

async function contentOf(path: string): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    return await file.readFile();
  } finally {
    await file.close();
  }
}

/** In clusters: header, reference counts (a table, a block), first-level table, second-level tables, data. */
async function writeClusters(
  file: FileHandle,
  { base, bytes, clusters }: { base: string; bytes: number; clusters: ReadonlyMap<number, Buffer> },
): Promise<void> {
  const tables = [...new Set([...clusters.keys()].map((number) => Math.floor(number / PER_TABLE)))];
  const firstTable = 4;
  const firstData = firstTable + tables.length;
  const used = firstData + clusters.size;
  await file.write(header(base, bytes), 0, undefined, 0);
  await file.write(
    words(1, () => BigInt(2 * CLUSTER)),
    0,
    undefined,
    CLUSTER,
  );
  const counts = Buffer.alloc(used * 2);
  for (let i = 0; i < used; i++) counts.writeUInt16BE(1, i * 2);
  await file.write(counts, 0, undefined, 2 * CLUSTER);

  const order = [...clusters.keys()];
  const first = words(firstLevelSize(bytes), (i) => {
    const at = tables.indexOf(i);
    return at < 0 ? 0n : COPIED | BigInt((firstTable + at) * CLUSTER);
  });
  await file.write(first, 0, undefined, 3 * CLUSTER);
  for (const [at, table] of tables.entries()) {
    const entries = words(PER_TABLE, (i) => {
      const data = order.indexOf(table * PER_TABLE + i);
      return data < 0 ? 0n : COPIED | BigInt((firstData + data) * CLUSTER);
    });
    await file.write(entries, 0, undefined, (firstTable + at) * CLUSTER);
  }
  for (const [at, number] of order.entries()) {
    await file.write(clusters.get(number) ?? Buffer.alloc(CLUSTER), 0, undefined, (firstData + at) * CLUSTER);
  }
}

function firstLevelSize(bytes: number): number {
  return Math.ceil(bytes / CLUSTER / PER_TABLE);
}

function header(base: string, bytes: number): Buffer {
  const block = Buffer.alloc(CLUSTER);
  const name = Buffer.from(base);
  const nameAt = 256;
  block.write('QFI\xfb', 'latin1');
  block.writeUInt32BE(3, 4);
  block.writeBigUInt64BE(BigInt(nameAt), 8);
  block.writeUInt32BE(name.length, 16);
  block.writeUInt32BE(CLUSTER_BITS, 20);
  block.writeBigUInt64BE(BigInt(Math.ceil(bytes / 512) * 512), 24);
  block.writeUInt32BE(firstLevelSize(bytes), 36);
  block.writeBigUInt64BE(BigInt(3 * CLUSTER), 40);
  block.writeBigUInt64BE(BigInt(CLUSTER), 48);
  block.writeUInt32BE(1, 56);
  block.writeUInt32BE(4, 96); // reference counts of 16 bits
  block.writeUInt32BE(104, 100);
  // The one extension: what kind of file the base is, so that QEMU need not guess from what a guest wrote.
  block.writeUInt32BE(BACKING_FORMAT, 104);
  block.writeUInt32BE(3, 108);
  block.write('raw', 112, 'latin1');
  name.copy(block, nameAt);
  return block;
}

function words(count: number, value: (index: number) => bigint): Buffer {
  const buffer = Buffer.alloc(count * 8);
  for (let i = 0; i < count; i++) buffer.writeBigUInt64BE(value(i), i * 8);
  return buffer;
}
