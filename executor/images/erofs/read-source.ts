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
  path: Buffer;
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
    return readRest(fd, file, apart, crc);
  } finally {
    closeSync(fd);
  }
}

/** The same for a file that is all rest; most files are, and need not wait for anything. */
export function readSmallSource(file: SourceFile): Rest {
  const fd = open(file.path);
  try {
    return readRest(fd, file, 0, 0);
  } finally {
    closeSync(fd);
  }
}

function readRest(fd: number, file: SourceFile, apart: number, crc: number): Rest {
  const wanted = file.size - apart;
  // One byte more than there should be shows a file that has grown.
  const bytes = Buffer.allocUnsafe(wanted + 1);
  if (read(fd, file, bytes, wanted + 1) !== wanted) throw changed(file);
  const rest = bytes.subarray(0, wanted);
  return { bytes: rest, crc: file.withCrc ? crc32(rest, crc) : 0 };
}

function open(path: Buffer): number {
  try {
    return openSync(path, 'r');
  } catch (err) {
    if (hasCode(err, 'ENOENT')) throw changed({ path });
    throw unreadable(path, err);
  }
}

/** Reads until `length` bytes are there or the file ends; gives how many. */
function read(fd: number, { path }: SourceFile, into: Buffer, length: number): number {
  try {
    for (let done = 0; ;) {
      const n = readSync(fd, into, done, length - done, null);
      done += n;
      if (n === 0 || done === length) return done;
    }
  } catch (err) {
    throw unreadable(path, err);
  }
}

function changed({ path }: Pick<SourceFile, 'path'>): UnikError {
  return new UnikError('source_unreadable', `${path.toString()} changed while it was being packed`);
}

function unreadable(path: Buffer, err: unknown): UnikError {
  return new UnikError('source_unreadable', `cannot read ${path.toString()}: ${messageOf(err)}`, { cause: err });
}
