import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { libraryClosure } from '../../executor/images/closure.js';
import type { StoredKernel } from '../../executor/kernels/catalogue.js';
import { readLinuxSource } from '../../executor/kernels/linux-source.js';
import { unpackKernel } from '../../executor/kernels/vmlinux.js';

const ELF_MAGIC = 0x7f454c46;
const PT_LOAD = 1;
const PF_X = 1;
const SHF_EXECINSTR = 4;
const ET_REL = 1;

/**
 * Bytes of machine code in an ELF file: its sections of instructions, or where it has no table of them, the segments that
 * may be executed. Throws for what is no ELF file.
 */
export function codeBytes(elf: Buffer): number {
  if (!isElf(elf)) throw new Error('not an ELF file');
  const read = elf[4] === 2 ? tables64 : tables32;
  const { sections, segments } = read(elf);
  const inSections = sum(sections.filter(({ flags }) => (flags & SHF_EXECINSTR) !== 0));
  if (inSections > 0 || elf.readUInt16LE(16) === ET_REL) return inSections;
  return sum(segments.filter(({ type, flags }) => type === PT_LOAD && (flags & PF_X) !== 0));
}

/** A program and the libraries it is loaded with, this host's. */
export function programCode(path: string): number {
  const files = new Set([path, ...libraryClosure([path], { arch: 'x86_64' })].map((file) => realpathSync(file)));
  return [...files].reduce((total, file) => total + codeBytes(readFileSync(file)), 0);
}

/**
 * A kernel of the catalogue: for Linux with the modules that its machines load, and our init. `source`: what it was imported
 * from, where a kernel that is packed in its own way may lie as an ELF file as well. Undefined: nowhere unpacked.
 */
export async function guestCode({ guest, dir, files }: StoredKernel, source?: string): Promise<number | undefined> {
  const image = readFileSync(join(dir, files.kernel));
  const kernel = isElf(image) ? image : (unpackKernel(image) ?? elfIn(source));
  if (guest !== 'linux' || kernel === undefined) return kernel && codeBytes(kernel);
  const [release = ''] = readdirSync('.assets/kernel').filter((name) => !name.startsWith('.'));
  const { modules } = await readLinuxSource(join('.assets/kernel', release));
  const init = readFileSync('.assets/guest/init');
  return [kernel, init, ...modules.map(({ data }) => data)].reduce((total, elf) => total + codeBytes(elf), 0);
}

function elfIn(source: string | undefined): Buffer | undefined {
  if (source === undefined || !statSync(source).isDirectory()) return undefined;
  return readdirSync(source)
    .map((name) => readFileSync(join(source, name)))
    .find(isElf);
}

function isElf(bytes: Buffer): boolean {
  return bytes.length >= 64 && bytes.readUInt32BE(0) === ELF_MAGIC;
}

/** The kernel that this host runs: its own code, and its modules with their data. Undefined where only root may see it. */
export function hostKernelCode(): number | undefined {
  const [, first = '0', last = '0'] =
    /^\s*([0-9a-f]+)-([0-9a-f]+) : Kernel code$/m.exec(readFileSync('/proc/iomem', 'latin1')) ?? [];
  const own = Number.parseInt(last, 16) - Number.parseInt(first, 16) + 1;
  if (own <= 1) return undefined;
  const loaded = existsSync('/proc/modules') ? readFileSync('/proc/modules', 'latin1') : '';
  const modules = loaded.matchAll(/^\S+ (\d+) /gm);
  return [...modules].reduce((total, [, bytes]) => total + Number(bytes), own);
}

interface Piece {
  type: number;
  flags: number;
  bytes: number;
}
interface Tables {
  sections: Piece[];
  segments: Piece[];
}

function tables64(elf: Buffer): Tables {
  const word = (at: number): number => Number(elf.readBigUInt64LE(at));
  return {
    sections: rows(word(40), elf.readUInt16LE(58), elf.readUInt16LE(60)).map((at) => ({
      ...{ type: elf.readUInt32LE(at + 4), flags: word(at + 8), bytes: word(at + 32) },
    })),
    segments: rows(word(32), elf.readUInt16LE(54), elf.readUInt16LE(56)).map((at) => ({
      ...{ type: elf.readUInt32LE(at), flags: elf.readUInt32LE(at + 4), bytes: word(at + 32) },
    })),
  };
}

function tables32(elf: Buffer): Tables {
  const word = (at: number): number => elf.readUInt32LE(at);
  return {
    sections: rows(word(32), elf.readUInt16LE(46), elf.readUInt16LE(48)).map((at) => ({
      ...{ type: word(at + 4), flags: word(at + 8), bytes: word(at + 20) },
    })),
    segments: rows(word(28), elf.readUInt16LE(42), elf.readUInt16LE(44)).map((at) => ({
      ...{ type: word(at), flags: word(at + 24), bytes: word(at + 16) },
    })),
  };
}

const rows = (start: number, bytes: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => start + i * bytes);

const sum = (pieces: readonly Piece[]): number => pieces.reduce((total, { bytes }) => total + bytes, 0);
