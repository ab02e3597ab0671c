import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { inflateRawSync } from 'node:zlib';

/** An entry of a zip file's directory. */
export interface ZipEntry {
  name: string;
  /** 0: stored, 8: deflated. */
  method: number;
  packed: number;
  /** Where its local header starts. */
  offset: number;
}

const END = 0x06054b50;
const ENTRY = 0x02014b50;
/** The end record with the longest comment it can have. */
const END_MAX = 22 + 0xffff;

/** The directory of a zip file (a jar is one); empty for a file that is none. */
export function listZip(path: string): ZipEntry[] {
  return withFile(path, (fd, size) => readDirectory(fd, size));
}

/** One entry's bytes; undefined when the file is no zip file or has no such entry. */
export function readZipEntry(path: string, name: string): Buffer | undefined {
  return withFile(path, (fd, size) => {
    const entry = readDirectory(fd, size).find((one) => one.name === name);
    if (!entry) return undefined;
    const header = read(fd, entry.offset, 30);
    const start = entry.offset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
    const packed = read(fd, start, entry.packed);
    return entry.method === 8 ? inflateRawSync(packed) : packed;
  });
}

function readDirectory(fd: number, size: number): ZipEntry[] {
  const tail = read(fd, Math.max(0, size - END_MAX), Math.min(size, END_MAX));
  const signature = Buffer.alloc(4);
  signature.writeUInt32LE(END);
  const end = tail.lastIndexOf(signature);
  if (end === -1 || end + 22 > tail.length) return [];
  const directory = read(fd, tail.readUInt32LE(end + 16), tail.readUInt32LE(end + 12));
  const entries: ZipEntry[] = [];
  for (let at = 0; at + 46 <= directory.length && directory.readUInt32LE(at) === ENTRY;) {
    const nameBytes = directory.readUInt16LE(at + 28);
    entries.push({
      name: directory.toString('utf8', at + 46, at + 46 + nameBytes),
      method: directory.readUInt16LE(at + 10),
      packed: directory.readUInt32LE(at + 20),
      offset: directory.readUInt32LE(at + 42),
    });
    at += 46 + nameBytes + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  return entries;
}

function withFile<T>(path: string, use: (fd: number, size: number) => T): T {
  const fd = openSync(path, 'r');
  try {
    return use(fd, fstatSync(fd).size);
  } finally {
    closeSync(fd);
  }
}

/** What there is of the wanted bytes: a damaged directory points anywhere. */
function read(fd: number, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(Math.min(length, Math.max(0, fstatSync(fd).size - offset)));
  let done = 0;
  while (done < bytes.length) {
    const n = readSync(fd, bytes, done, bytes.length - done, offset + done);
    if (n === 0) break;
    done += n;
  }
  return bytes;
}
