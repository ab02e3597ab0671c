const TARGETS = { hvt: [1, 2], spt: [2, 2], virtio: [3, 1], xen: [6, 1] } as const;
const KINDS = { block: 1, net: 2 };
const LOADER = '/nonexistent/solo5/\0';

/**
 * A program of Solo5 as its notes are laid out: an ELF header, the name of a loader that is none, and one segment of
 * notes, ABI and manifest. There is no code in it.
 */
export function solo5Program(
  target: keyof typeof TARGETS,
  devices: readonly { name: string; kind: 'block' | 'net' }[],
): Buffer {
  const manifest = Buffer.alloc(12 + (1 + devices.length) * 104);
  manifest.writeUInt32LE(1, 4);
  manifest.writeUInt32LE(1 + devices.length, 8);
  manifest.writeUInt32LE(0x40000000, 12 + 68);
  for (const [index, { name, kind }] of devices.entries()) {
    const at = 12 + (1 + index) * 104;
    manifest.write(name, at, 'latin1');
    manifest.writeUInt32LE(KINDS[kind], at + 68);
  }
  const abi = Buffer.alloc(16);
  abi.writeUInt32LE(TARGETS[target][0], 0);
  abi.writeUInt32LE(TARGETS[target][1], 4);
  const notes = Buffer.concat([note(0x3154464d, manifest), note(0x31494241, abi)]);
  const head = Buffer.alloc(64 + 2 * 56);
  head.write('\x7fELF\x02\x01\x01', 'latin1');
  head.writeUInt16LE(2, 16);
  head.writeUInt16LE(62, 18);
  head.writeBigUInt64LE(64n, 32);
  head.writeUInt16LE(56, 54);
  head.writeUInt16LE(2, 56);
  segment(head, 64, { type: 3, offset: head.length, bytes: LOADER.length });
  segment(head, 120, { type: 4, offset: head.length + LOADER.length, bytes: notes.length });
  return Buffer.concat([head, Buffer.from(LOADER, 'latin1'), notes]);
}

function note(type: number, content: Buffer): Buffer {
  const head = Buffer.alloc(20);
  head.writeUInt32LE(6, 0);
  head.writeUInt32LE(content.length, 4);
  head.writeUInt32LE(type, 8);
  head.write('Solo5', 12, 'latin1');
  return Buffer.concat([head, content]);
}

function segment(
  head: Buffer,
  at: number,
  { type, offset, bytes }: { type: number; offset: number; bytes: number },
): void {
  head.writeUInt32LE(type, at);
  head.writeBigUInt64LE(BigInt(offset), at + 8);
  head.writeBigUInt64LE(BigInt(bytes), at + 32);
}
