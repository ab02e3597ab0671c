import { UnikError } from '../../../core/errors.js';

/** What a Solo5 program says of itself in its notes. Source: Solo5, include/elf_abi.h and mft_abi.h (0.12). */
export interface Solo5Manifest {
  target: 'hvt' | 'spt' | 'virtio' | 'muen' | 'genode' | 'xen';
  abi: number;
  devices: { name: string; kind: 'block' | 'net' }[];
}

const TARGETS = ['hvt', 'spt', 'virtio', 'muen', 'genode', 'xen'] as const;
const PT_NOTE = 4;
const MANIFEST = 0x3154464d;
const ABI = 0x31494241;
const ENTRY_BYTES = 104;
const NAME_BYTES = 68;
const MAX_ENTRIES = 64;
const RESERVED = 0x40000000;

/** Undefined: no Solo5 program. Throws image_invalid for one whose notes are damaged. */
export function readSolo5(file: Uint8Array): Solo5Manifest | undefined {
  const elf = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  if (elf.length < 64 || elf.readUInt32BE(0) !== 0x7f454c46 || elf[4] !== 2 || elf[5] !== 1) return undefined;
  let manifest: Solo5Manifest['devices'] | undefined;
  let abi: Pick<Solo5Manifest, 'target' | 'abi'> | undefined;
  for (const { type, content } of notes(elf)) {
    if (type === MANIFEST) manifest = readDevices(content);
    if (type === ABI) abi = readAbi(content);
  }
  return manifest && abi ? { ...abi, devices: manifest } : undefined;
}

function* notes(elf: Buffer): Iterable<{ type: number; content: Buffer }> {
  const [table, size, count] = [Number(elf.readBigUInt64LE(32)), elf.readUInt16LE(54), elf.readUInt16LE(56)];
  if (size < 56) return;
  for (let i = 0; i < count; i++) {
    const at = table + i * size;
    if (at + 56 > elf.length) return;
    if (elf.readUInt32LE(at) !== PT_NOTE) continue;
    const start = Number(elf.readBigUInt64LE(at + 8));
    const end = Math.min(start + Number(elf.readBigUInt64LE(at + 32)), elf.length);
    for (let note = start; note + 12 <= end;) {
      const [nameBytes, bytes] = [elf.readUInt32LE(note), elf.readUInt32LE(note + 4)];
      const content = note + 12 + align4(nameBytes);
      if (content + bytes > end) break;
      const name = elf.toString('latin1', note + 12, note + 12 + nameBytes).replace(/\0.*$/s, '');
      if (name === 'Solo5') yield { type: elf.readUInt32LE(note + 8), content: elf.subarray(content, content + bytes) };
      note = content + align4(bytes);
    }
  }
}

function readAbi(content: Buffer): Pick<Solo5Manifest, 'target' | 'abi'> {
  if (content.length < 8) throw invalid('its ABI note is cut off');
  const number = content.readUInt32LE(0);
  const target = TARGETS[number - 1];
  if (!target) throw invalid(`its ABI note names the target ${number}`);
  return { target, abi: content.readUInt32LE(4) };
}

/** Four bytes for alignment, version, count, then entries; the first is reserved. */
function readDevices(content: Buffer): Solo5Manifest['devices'] {
  if (content.length < 12 || content.readUInt32LE(4) !== 1) throw invalid('its manifest is of another version');
  const count = content.readUInt32LE(8);
  if (count > MAX_ENTRIES || 12 + count * ENTRY_BYTES > content.length)
    throw invalid(`its manifest has ${count} entries`);
  const devices: Solo5Manifest['devices'] = [];
  for (let i = 0; i < count; i++) {
    const at = 12 + i * ENTRY_BYTES;
    const type = content.readUInt32LE(at + NAME_BYTES);
    if (type >= RESERVED) continue;
    const name = content.toString('latin1', at, at + NAME_BYTES).replace(/\0.*$/s, '');
    if (!/^[A-Za-z0-9]{1,67}$/.test(name)) throw invalid(`its manifest names a device ${JSON.stringify(name)}`);
    if (type !== 1 && type !== 2) throw invalid(`its device ${name} is of type ${type}`);
    devices.push({ name, kind: type === 1 ? 'block' : 'net' });
  }
  return devices;
}

// No bit operations: they would make a negative number of a large one.
const align4 = (length: number): number => Math.ceil(length / 4) * 4;

function invalid(message: string): UnikError {
  return new UnikError('image_invalid', `the Solo5 program: ${message}`);
}
