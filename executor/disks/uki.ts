import { UnikError } from '../../core/errors.js';

const SECTION_HEADER = 40;
/** Initialised data, readable. */
const FLAGS = 0x40000040;

export interface AddedSection {
  name: string;
  /** Where its bytes begin in the finished program. */
  at: number;
  bytes: number;
}

/** A unified kernel image: an EFI stub with further sections, of which this gives head and places. */
export interface UnifiedKernel {
  /** The stub with its new headers. */
  head: Buffer;
  sections: AddedSection[];
  bytes: number;
}

/**
 * Adds sections to a PE program (Microsoft's "PE Format"), such as `.linux` and `.initrd` to systemd's EFI stub. The
 * contents are not needed, only their sizes. Each begins at a multiple of 512 bytes. Throws kernel_invalid.
 */
export function unify(stub: Buffer, added: readonly { name: string; bytes: number }[]): UnifiedKernel {
  const pe = stub.length > 0x40 ? stub.readUInt32LE(0x3c) : 0;
  if (pe === 0 || stub.length < pe + 0xf8 || stub.toString('latin1', pe, pe + 4) !== 'PE\0\0') {
    throw new UnikError('kernel_invalid', 'the EFI stub is no PE program');
  }
  const count = stub.readUInt16LE(pe + 6);
  const optional = pe + 24;
  const table = optional + stub.readUInt16LE(pe + 20);
  const sectionAlignment = stub.readUInt32LE(optional + 32);
  const headersEnd = stub.readUInt32LE(optional + 60);
  if (table + (count + added.length) * SECTION_HEADER > headersEnd) {
    throw new UnikError('kernel_invalid', 'the EFI stub has no room for further sections');
  }
  const head = Buffer.concat([stub, Buffer.alloc(align(stub.length, 512) - stub.length)]);
  let file = head.length;
  let memory = stub.readUInt32LE(optional + 56);
  const sections: AddedSection[] = [];
  for (const [index, { name, bytes }] of added.entries()) {
    memory = align(memory, sectionAlignment);
    const at = table + (count + index) * SECTION_HEADER;
    head.fill(0, at, at + SECTION_HEADER);
    head.write(name, at, 8, 'latin1');
    head.writeUInt32LE(bytes, at + 8);
    head.writeUInt32LE(memory, at + 12);
    head.writeUInt32LE(align(bytes, 512), at + 16);
    head.writeUInt32LE(file, at + 20);
    head.writeUInt32LE(FLAGS, at + 36);
    sections.push({ name, at: file, bytes });
    file += align(bytes, 512);
    memory += bytes;
  }
  head.writeUInt16LE(count + added.length, pe + 6);
  head.writeUInt32LE(align(memory, sectionAlignment), optional + 56);
  // The checksum: zero is none.
  head.writeUInt32LE(0, optional + 64);
  return { head, sections, bytes: file };
}

const align = (value: number, to: number): number => Math.ceil(value / to) * to;
