import { closeSync, openSync, readSync } from 'node:fs';
import type { Arch } from '../model.js';

/** What a loader would read in an ELF file: never the code, only headers and the dynamic section. */
export interface Elf {
  /** `other` for a machine that no guest of ours runs on. */
  arch: Arch | 'other';
  bits: 32 | 64;
  /** `executable` also for position-independent programs; a `library` has neither interpreter nor entry. */
  kind: 'executable' | 'library' | 'object';
  /** The loader this program names (PT_INTERP), such as `/lib64/ld-linux-x86-64.so.2`. */
  interpreter?: string;
  /** Names from DT_NEEDED, in order. Empty for a static program. */
  needed: string[];
  /** DT_RPATH entries, `$ORIGIN` not yet replaced. */
  rpath: string[];
  /** DT_RUNPATH entries, `$ORIGIN` not yet replaced. */
  runpath: string[];
  soname?: string;
  /** May be loaded at any address: what some library operating systems ask for. Absent: unknown, such as an object. */
  positionIndependent?: boolean;
}

const MACHINES: Readonly<Record<number, Arch>> = { 62: 'x86_64', 183: 'aarch64' };
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const DT = { NULL: 0, NEEDED: 1, STRTAB: 5, STRSZ: 10, SONAME: 14, RPATH: 15, RUNPATH: 29, FLAGS_1: 0x6ffffffb };
const DF_1_PIE = 0x08000000n;
/** Tables beyond this are a broken file, not a big program. */
const MAX_TABLE = 16 * 1024 * 1024;

/** Reads the ELF headers of `path`; undefined when it is no ELF file or a damaged one. Throws what opening throws. */
export function readElf(path: string | Buffer): Elf | undefined {
  const fd = openSync(path, 'r');
  try {
    return parse((offset, length) => readAt(fd, offset, length));
  } catch (err) {
    if (err instanceof DamagedElf) return undefined;
    throw err;
  } finally {
    closeSync(fd);
  }
}

export function isElfMagic(head: Uint8Array): boolean {
  return head[0] === 0x7f && head[1] === 0x45 && head[2] === 0x4c && head[3] === 0x46;
}

class DamagedElf extends Error {}

type ReadAt = (offset: number, length: number) => Buffer;

interface Segment {
  type: number;
  offset: number;
  vaddr: number;
  size: number;
}

function parse(read: ReadAt): Elf | undefined {
  const ident = read(0, 20);
  if (!isElfMagic(ident)) return undefined;
  const bits = ident[4] === 2 ? 64 : 32;
  const littleEndian = ident[5] === 1;
  const elf: Elf = { arch: 'other', bits, kind: 'object', needed: [], rpath: [], runpath: [] };
  // Every machine we package for is 64-bit little-endian; of the rest only "other" matters.
  if (bits !== 64 || !littleEndian) return elf;
  const header = read(0, 64);
  const type = header.readUInt16LE(16);
  elf.arch = MACHINES[header.readUInt16LE(18)] ?? 'other';
  if (type !== 2 && type !== 3) return elf;
  elf.positionIndependent = type === 3;

  const segments = readSegments(read, header);
  const interp = segments.find((segment) => segment.type === PT_INTERP);
  if (interp) elf.interpreter = cString(read(interp.offset, interp.size), 0);
  const isPie = readDynamic(read, segments, elf);
  elf.kind = type === 2 || elf.interpreter !== undefined || isPie ? 'executable' : 'library';
  return elf;
}

function readSegments(read: ReadAt, header: Buffer): Segment[] {
  const offset = toNumber(header.readBigUInt64LE(32));
  const entryBytes = header.readUInt16LE(54);
  const count = header.readUInt16LE(56);
  if (count === 0) return [];
  if (entryBytes < 56) throw new DamagedElf();
  const table = read(offset, entryBytes * count);
  return Array.from({ length: count }, (_, i) => {
    const at = i * entryBytes;
    return {
      type: table.readUInt32LE(at),
      offset: toNumber(table.readBigUInt64LE(at + 8)),
      vaddr: toNumber(table.readBigUInt64LE(at + 16)),
      size: toNumber(table.readBigUInt64LE(at + 32)),
    };
  });
}

/** Fills names and search paths; true when the file says that it is a position-independent program. */
function readDynamic(read: ReadAt, segments: Segment[], elf: Elf): boolean {
  const dynamic = segments.find((segment) => segment.type === PT_DYNAMIC);
  if (!dynamic) return false;
  const table = read(dynamic.offset, dynamic.size);
  const entries: { tag: number; value: bigint }[] = [];
  for (let at = 0; at + 16 <= table.length; at += 16) {
    const tag = Number(table.readBigInt64LE(at));
    if (tag === DT.NULL) break;
    entries.push({ tag, value: table.readBigUInt64LE(at + 8) });
  }
  const one = (tag: number): bigint | undefined => entries.find((entry) => entry.tag === tag)?.value;
  const address = one(DT.STRTAB);
  const strings =
    address === undefined
      ? Buffer.alloc(0)
      : read(fileOffset(segments, toNumber(address)), toNumber(one(DT.STRSZ) ?? 0n));
  for (const { tag, value } of entries) {
    if (tag === DT.NEEDED) elf.needed.push(cString(strings, toNumber(value)));
    else if (tag === DT.SONAME) elf.soname = cString(strings, toNumber(value));
    else if (tag === DT.RPATH) elf.rpath.push(...paths(cString(strings, toNumber(value))));
    else if (tag === DT.RUNPATH) elf.runpath.push(...paths(cString(strings, toNumber(value))));
  }
  return ((one(DT.FLAGS_1) ?? 0n) & DF_1_PIE) !== 0n;
}

function fileOffset(segments: Segment[], address: number): number {
  const load = segments.find(
    (segment) => segment.type === PT_LOAD && address >= segment.vaddr && address < segment.vaddr + segment.size,
  );
  if (!load) throw new DamagedElf();
  return load.offset + (address - load.vaddr);
}

function paths(list: string): string[] {
  return list.split(':').filter((path) => path !== '');
}

function cString(bytes: Buffer, at: number): string {
  const end = bytes.indexOf(0, at);
  if (at >= bytes.length || end === -1) throw new DamagedElf();
  return bytes.toString('utf8', at, end);
}

function toNumber(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new DamagedElf();
  return Number(value);
}

function readAt(fd: number, offset: number, length: number): Buffer {
  if (length > MAX_TABLE) throw new DamagedElf();
  const bytes = Buffer.alloc(length);
  let done = 0;
  while (done < length) {
    const n = readSync(fd, bytes, done, length - done, offset + done);
    if (n === 0) break;
    done += n;
  }
  // A file shorter than four bytes is simply no ELF file; a shorter table is a damaged one.
  if (done < length && !isElfMagic(bytes) && offset === 0) return bytes;
  if (done < length) throw new DamagedElf();
  return bytes;
}
