import { closeSync, openSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { hasCode, messageOf, UnikError } from '../../../core/errors.js';
import type { Output } from './output.js';

/** What came after the bytes that were passed on. */
export interface Rest {
  bytes: Buffer;
  /** CRC-32 of the whole file; 0 unless asked for. */
  crc: number;
}

export interface SourceFile {
  path: string | Buffer;
  /** Exact size it must have. */
  size: number;
  withCrc: boolean;
}

/**
 * Reads a file of this host: the first `apart` bytes go to `out`, the rest is given back. Throws source_unreadable,
 * naming the file, when it cannot be read or has changed since it was listed.
 */
export async function readSource(file: SourceFile, apart: number, out: Output): Promise<Rest> {
  const fd = open(file.path);
  try {
    let crc = 0;
    for (let at = 0; at < apart;) {
      const room = out.room();
      const n = read(fd, file, room, Math.min(room.length, apart - at));
      if (n === 0) throw changed(file);
      if (file.withCrc) crc = crc32(room.subarray(0, n), crc);
      if (out.filled(n)) await out.next();
      at += n;
    }
    const bytes = Buffer.allocUnsafe(file.size - apart);
    readWhole(fd, file, bytes, 0, bytes.length);
    return { bytes, crc: file.withCrc ? crc32(bytes, crc) : 0 };
  } finally {
    closeSync(fd);
  }
}

/**
 * The same for a file without such first bytes, as most files are: it is read to its place in `block`. Gives the CRC.
 */
export function readSmallSource(file: SourceFile, block: Buffer, at: number): number {
  const fd = open(file.path);
  try {
    readWhole(fd, file, block, at, file.size);
    return file.withCrc ? crc32(block.subarray(at, at + file.size)) : 0;
  } finally {
    closeSync(fd);
  }
}

/** Reads the last `length` bytes of a file, and makes sure by a byte more that they are the last. */
function readWhole(fd: number, file: SourceFile, into: Buffer, at: number, length: number): void {
  const room = into.subarray(at, at + length + 1);
  const n = read(fd, file, room, room.length);
  const more = n === length && room.length === length ? read(fd, file, Buffer.alloc(1), 1) : 0;
  if (n !== length || more > 0) throw changed(file);
}

function open(path: string | Buffer): number {
  try {
    return openSync(path, 'r');
  } catch (err) {
    if (hasCode(err, 'ENOENT')) throw changed({ path });
    throw unreadable(path, err);
  }
}

/** Reads `length` bytes, fewer only at the end of the file; gives how many. */
function read(fd: number, { path }: SourceFile, into: Buffer, length: number): number {
  try {
    return length === 0 ? 0 : readSync(fd, into, 0, length, null);
  } catch (err) {
    throw unreadable(path, err);
  }
}

function changed({ path }: Pick<SourceFile, 'path'>): UnikError {
  return new UnikError('source_unreadable', `${path.toString()} changed while it was being packed`);
}

function unreadable(path: string | Buffer, err: unknown): UnikError {
  return new UnikError('source_unreadable', `cannot read ${path.toString()}: ${messageOf(err)}`, { cause: err });
}
