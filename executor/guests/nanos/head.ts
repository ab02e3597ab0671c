import { readFile, rm } from 'node:fs/promises';
import { UnikError } from '../../../core/errors.js';
import { entryAt, partitionEntry } from '../../images/mbr.js';
import { SECTOR } from '../../images/tfs/log.js';
import { writeTfs } from '../../images/tfs/write.js';
import { RootTree } from '../../images/tree.js';

/** What comes before the root file system on every disk: boot code, and a small file system with the kernel. */
export const HEAD_BYTES = 4 * 1024 * 1024;

/** Where a crashing kernel leaves its last words, just below the first partition. */
const DUMP_BYTES = 4096;
/** The region record, just before the partition table: address, length, type. */
const REGION_AT = 426;
const REGION_FILE_SYSTEM = 12;
const LINUX_PARTITION = 0x83;

/**
 * Makes the start of a disk that boots this kernel: its boot blob, its partition entry, and a file system with the file
 * `kernel`. `scratch`: a file name of the caller's, used and removed. Throws kernel_invalid.
 */
export async function diskHead(blob: Uint8Array, kernel: Uint8Array, scratch: string): Promise<Buffer> {
  const start = bootStart(Buffer.from(blob));
  const tree = new RootTree();
  tree.file('/kernel', kernel);
  try {
    await writeTfs(tree.root, scratch, { before: start });
    const system = await readFile(scratch);
    // Behind the written part the kernel's own log would go on; nothing is ever written there.
    const sectors = HEAD_BYTES / SECTOR - start / SECTOR;
    if (system.length > HEAD_BYTES) {
      throw new UnikError(
        'kernel_invalid',
        `the kernel's ${kernel.length} bytes do not fit ${HEAD_BYTES} bytes with its boot code`,
      );
    }
    system.set(blob, 0);
    partitionEntry({ active: true, type: LINUX_PARTITION, start: start / SECTOR, sectors }).copy(system, entryAt(1));
    return system;
  } finally {
    await rm(scratch, { force: true });
  }
}

/** First byte of the first partition. */
function bootStart(blob: Buffer): number {
  const isBoot = blob.length > SECTOR && blob.readUInt16LE(510) === 0xaa55 && blob.length < HEAD_BYTES / 2;
  if (!isBoot || blob.readUInt32LE(REGION_AT + 16) !== REGION_FILE_SYSTEM) {
    throw new UnikError('kernel_invalid', 'the boot blob is not one of Nanos: its first sector has no region record');
  }
  const second = Number(blob.readBigUInt64LE(REGION_AT + 8));
  const start = SECTOR + second + DUMP_BYTES;
  if (second + SECTOR > blob.length || start % SECTOR !== 0) {
    throw new UnikError('kernel_invalid', `the boot blob says that its second stage has ${second} bytes`);
  }
  return start;
}
