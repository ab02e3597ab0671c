import { UnikError } from '../../core/errors.js';

const SECTOR = 512;
const CLUSTER_SECTORS = 4;
const CLUSTER = CLUSTER_SECTORS * SECTOR;
const RESERVED_SECTORS = 1;
const ROOT_ENTRIES = 512;
const ROOT_SECTORS = (ROOT_ENTRIES * 32) / SECTOR;
/** What makes a FAT a FAT16: so many clusters. */
const FEWEST_CLUSTERS = 4_085;
const MOST_CLUSTERS = 65_524;
const FOLDER = 0x10;
const ARCHIVE = 0x20;

/** One FAT16 file system with one file in folders, laid out so that the file is in one piece. */
export interface FatLayout {
  /** Bytes of the whole file system. */
  bytes: number;
  /** Everything before the file's content. */
  head: Buffer;
  /** Where the content belongs. */
  contentAt: number;
}

/**
 * `path`: upper-case 8.3 names, such as `EFI/BOOT/BOOTX64.EFI`. Microsoft's "FAT: General Overview of On-Disk Format".
 * Throws bad_request when the file is too large for it.
 */
export function fatWithOneFile(path: string, size: number, label: string): FatLayout {
  const names = path.split('/');
  const folders = names.slice(0, -1);
  const fileClusters = Math.ceil(size / CLUSTER);
  const clusters = Math.max(FEWEST_CLUSTERS, folders.length + fileClusters);
  if (clusters > MOST_CLUSTERS) throw new UnikError('bad_request', `a boot file of ${size} bytes is too large`);
  const fatSectors = Math.ceil(((clusters + 2) * 2) / SECTOR);
  const dataSector = RESERVED_SECTORS + 2 * fatSectors + ROOT_SECTORS;
  const sectors = dataSector + clusters * CLUSTER_SECTORS;
  const contentAt = dataSector * SECTOR + folders.length * CLUSTER;
  const head = Buffer.alloc(contentAt);

  bootSector(sectors, fatSectors, label).copy(head);
  const fat = chains(clusters, folders.length, fileClusters);
  fat.copy(head, RESERVED_SECTORS * SECTOR);
  fat.copy(head, (RESERVED_SECTORS + fatSectors) * SECTOR);
  const rootAt = (RESERVED_SECTORS + 2 * fatSectors) * SECTOR;
  for (const [depth, name] of names.entries()) {
    const inRoot = depth === 0;
    const folderAt = inRoot ? rootAt : dataSector * SECTOR + (depth - 1) * CLUSTER;
    if (!inRoot) {
      entry('.', FOLDER, depth + 1, 0).copy(head, folderAt);
      entry('..', FOLDER, depth === 1 ? 0 : depth, 0).copy(head, folderAt + 32);
    }
    const isFile = depth === names.length - 1;
    const own = isFile ? entry(name, ARCHIVE, depth + 2, size) : entry(name, FOLDER, depth + 2, 0);
    own.copy(head, folderAt + (inRoot ? 0 : 64));
  }
  return { bytes: sectors * SECTOR, head, contentAt };
}

function bootSector(sectors: number, fatSectors: number, label: string): Buffer {
  const sector = Buffer.alloc(SECTOR);
  Buffer.from([0xeb, 0x3c, 0x90]).copy(sector);
  sector.write('unik    ', 3, 'latin1');
  sector.writeUInt16LE(SECTOR, 11);
  sector.writeUInt8(CLUSTER_SECTORS, 13);
  sector.writeUInt16LE(RESERVED_SECTORS, 14);
  sector.writeUInt8(2, 16);
  sector.writeUInt16LE(ROOT_ENTRIES, 17);
  sector.writeUInt16LE(sectors < 0x10000 ? sectors : 0, 19);
  sector.writeUInt8(0xf8, 21);
  sector.writeUInt16LE(fatSectors, 22);
  sector.writeUInt16LE(63, 24);
  sector.writeUInt16LE(255, 26);
  sector.writeUInt32LE(sectors < 0x10000 ? 0 : sectors, 32);
  sector.writeUInt8(0x80, 36);
  sector.writeUInt8(0x29, 38);
  sector.writeUInt32LE(0x6b696e75, 39);
  sector.write(label.toUpperCase().padEnd(11).slice(0, 11), 43, 'latin1');
  sector.write('FAT16   ', 54, 'latin1');
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}

/** Clusters from 2 on: one for each folder, then the file's in a row. */
function chains(clusters: number, folders: number, fileClusters: number): Buffer {
  const fat = Buffer.alloc((clusters + 2) * 2);
  fat.writeUInt16LE(0xfff8, 0);
  fat.writeUInt16LE(0xffff, 2);
  for (let folder = 0; folder < folders; folder++) fat.writeUInt16LE(0xffff, (2 + folder) * 2);
  const first = 2 + folders;
  for (let n = 0; n < fileClusters; n++) {
    fat.writeUInt16LE(n === fileClusters - 1 ? 0xffff : first + n + 1, (first + n) * 2);
  }
  return fat;
}

function entry(name: string, attributes: number, cluster: number, size: number): Buffer {
  const bytes = Buffer.alloc(32);
  const [base = '', extension = ''] = name.startsWith('.') ? [name] : name.split('.');
  bytes.write(base.padEnd(8).slice(0, 8) + extension.padEnd(3).slice(0, 3), 0, 'latin1');
  bytes.writeUInt8(attributes, 11);
  // 1 January 2020: the same bytes whenever it is made.
  bytes.writeUInt16LE(0x5021, 16);
  bytes.writeUInt16LE(0x5021, 24);
  bytes.writeUInt16LE(cluster, 26);
  bytes.writeUInt32LE(size, 28);
  return bytes;
}
