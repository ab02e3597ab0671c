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

/**
 * Reads a file of this host that must have exactly `size` bytes: the first `apart` of them go to `out`, the rest is
 * given back. Throws source_unreadable, naming the file, when it cannot be read or has changed since it was listed.
 */
export async function readSource(
  path: Buffer,
  { size, apart, withCrc }: { size: number; apart: number; withCrc: boolean },
  out: Output,
): Promise<Rest> {
  const fd = open(path);
  try {
    let crc = 0;
    for (let at = 0; at < apart;) {
      const room = out.room();
      const n = read(fd, path, room, Math.min(room.length, apart - at));
      if (n === 0) throw changed(path);
      if (withCrc) crc = crc32(room.subarray(0, n), crc);
      if (out.filled(n)) await out.next();
      at += n;
    }
    // One byte more than there should be shows a file that has grown.
    const bytes = Buffer.allocUnsafe(size - apart + 1);
    if (read(fd, path, bytes, bytes.length) !== size - apart) throw changed(path);
    const rest = bytes.subarray(0, size - apart);
    return { bytes: rest, crc: withCrc ? crc32(rest, crc) : 0 };
  } finally {
    closeSync(fd);
  }
}

function open(path: Buffer): number {
  try {
    return openSync(path, 'r');
  } catch (err) {
    if (hasCode(err, 'ENOENT')) throw changed(path);
    throw unreadable(path, err);
  }
}

/** Reads until `length` bytes are there or the file ends; gives how many. */
function read(fd: number, path: Buffer, into: Buffer, length: number): number {
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

function changed(path: Buffer): UnikError {
  return new UnikError('source_unreadable', `${path.toString()} changed while it was being packed`);
}

function unreadable(path: Buffer, err: unknown): UnikError {
  return new UnikError('source_unreadable', `cannot read ${path.toString()}: ${messageOf(err)}`, { cause: err });
}
