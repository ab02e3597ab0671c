import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { isElfMagic } from './elf.js';

/** What a program calls, as far as its tables of names tell. */
export interface ElfSymbols {
  /** Functions that come from its libraries: undefined names of the dynamic table, without versions. */
  imports: string[];
  /** Functions that are part of it: what a static program was linked with. Empty when it is stripped. */
  functions: string[];
}

const DYNAMIC = 11;
const FULL = 2;
const FUNCTION = 2;
const SYMBOL_BYTES = 24;
/** A table beyond this is a broken file: the largest program we met has 40 MB of names. */
const MAX_BYTES = 128 * 1024 * 1024;
const NONE: ElfSymbols = { imports: [], functions: [] };

/**
 * Names of functions in a 64-bit little-endian ELF file, by its section headers. A file without them (stripped of
 * even those) or a damaged one tells nothing: both lists are empty. Throws what opening throws.
 */
export function readElfSymbols(path: string | Buffer): ElfSymbols {
  const fd = openSync(path, 'r');
  try {
    return parse(fd);
  } finally {
    closeSync(fd);
  }
}

function parse(fd: number): ElfSymbols {
  const size = fstatSync(fd).size;
  const read = (offset: number, bytes: number): Buffer | undefined => {
    if (bytes > MAX_BYTES || offset < 0 || offset + bytes > size) return undefined;
    const buffer = Buffer.alloc(bytes);
    return readSync(fd, buffer, 0, bytes, offset) === bytes ? buffer : undefined;
  };
  const header = read(0, 64);
  if (!header || !isElfMagic(header) || header[4] !== 2 || header[5] !== 1) return NONE;
  const entryBytes = header.readUInt16LE(58);
  const table = read(Number(header.readBigUInt64LE(40)), entryBytes * header.readUInt16LE(60));
  if (!table || entryBytes < 64) return NONE;
  const sections = Array.from({ length: table.length / entryBytes }, (_, i) => {
    const at = i * entryBytes;
    return {
      type: table.readUInt32LE(at + 4),
      offset: Number(table.readBigUInt64LE(at + 24)),
      bytes: Number(table.readBigUInt64LE(at + 32)),
      link: table.readUInt32LE(at + 40),
    };
  });
  const symbols = (type: number): { name: string; defined: boolean }[] => {
    const section = sections.find((one) => one.type === type);
    const strings = section && sections[section.link];
    const entries = section && read(section.offset, section.bytes);
    const names = strings && read(strings.offset, strings.bytes);
    return entries && names ? functionsIn(entries, names) : [];
  };
  const names = (type: number, defined: boolean): string[] =>
    [...new Set(symbols(type).flatMap((one) => (one.defined === defined ? [one.name] : [])))].sort();
  return { imports: names(DYNAMIC, false), functions: names(FULL, true) };
}

function functionsIn(entries: Buffer, names: Buffer): { name: string; defined: boolean }[] {
  const found: { name: string; defined: boolean }[] = [];
  for (let at = 0; at + SYMBOL_BYTES <= entries.length; at += SYMBOL_BYTES) {
    const defined = entries.readUInt16LE(at + 6) !== 0;
    // An import may be without a type; a definition has one.
    if (defined && ((entries[at + 4] ?? 0) & 0xf) !== FUNCTION) continue;
    const start = entries.readUInt32LE(at);
    const end = names.indexOf(0, start);
    if (start === 0 || end <= start) continue;
    found.push({ name: names.toString('latin1', start, end).replace(/@.*$/, ''), defined });
  }
  return found;
}
