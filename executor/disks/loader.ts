import { UnikError } from '../../core/errors.js';
import { LOADER, MBR } from './loader-code.js';

/** Where the loader lies, in sectors; loader.S knows both numbers. */
export const LOADER_SECTOR = 34;
const LOADER_SECTORS = 8;

/** Offsets in the loader of what it must know: `facts` in loader.S. */
const FACTS = { kernel: 0x10, initrd: 0x18, kernelBytes: 0x20, initrdBytes: 0x24, setup: 0x28, kernelEnd: 0x2c };
const CMDLINE = { at: 0x30, bytes: 2048 };

export interface LoaderFacts {
  /** The kernel as packaged (a bzImage), at least its first 4 kB. */
  kernel: Buffer;
  kernel_bytes: number;
  initrd_bytes: number;
  /** On the disk; both lie in one piece. */
  kernel_sector: number;
  initrd_sector: number;
  cmdline: string;
}

/** The boot code of sector 0: 440 bytes before the disk's partition table. */
export function mbrCode(): Buffer {
  return Buffer.from(MBR, 'base64');
}

/** What sector 0's code loads, told what to boot. Throws kernel_invalid, bad_request. */
export function loaderFor(facts: LoaderFacts): Buffer {
  const { kernel } = facts;
  // Offsets: "The Linux/x86 Boot Protocol" in the kernel's documentation.
  if (kernel.length < 0x1000 || kernel.toString('latin1', 0x202, 0x206) !== 'HdrS') {
    throw new UnikError('kernel_invalid', 'a disk boots an x86 Linux kernel as its package has it');
  }
  const cmdline = Buffer.from(`${facts.cmdline}\0`);
  if (cmdline.length > CMDLINE.bytes) {
    throw new UnikError('bad_request', `a kernel command line of ${cmdline.length} bytes; a disk has room for 2047`);
  }
  const code = Buffer.alloc(LOADER_SECTORS * 512);
  Buffer.from(LOADER, 'base64').copy(code);
  code.writeBigUInt64LE(BigInt(facts.kernel_sector), FACTS.kernel);
  code.writeBigUInt64LE(BigInt(facts.initrd_sector), FACTS.initrd);
  code.writeUInt32LE(facts.kernel_bytes, FACTS.kernelBytes);
  code.writeUInt32LE(facts.initrd_bytes, FACTS.initrdBytes);
  code.writeUInt32LE((kernel.readUInt8(0x1f1) || 4) + 1, FACTS.setup);
  code.writeUInt32LE(Number(kernel.readBigUInt64LE(0x258)) + kernel.readUInt32LE(0x260), FACTS.kernelEnd);
  cmdline.copy(code, CMDLINE.at);
  return code;
}
