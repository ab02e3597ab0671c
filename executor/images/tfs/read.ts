import { UnikError } from '../../../core/errors.js';
import { Decoder } from './decode.js';
import type { Tuple, Value } from './encode.js';
import { RECORD, SECTOR } from './log.js';

const MAX_EXTENSIONS = 10_000;
const MAX_SECTORS = 1 << 21;

/** The root tuple of the file system in `image`, all extensions of its log applied. Throws image_invalid. */
export function readTfs(image: Uint8Array): Tuple {
  const decoder = new Decoder();
  let root: Value | undefined;
  let next: { sector: number; sectors: number } | undefined = { sector: 0, sectors: 1 };
  for (let seen = 0; next; seen++) {
    if (seen > MAX_EXTENSIONS) throw invalid('its log never ends');
    next = readExtension(image, next, seen === 0, (record) => {
      const value = decoder.record(record);
      root ??= value;
    });
  }
  if (!(root instanceof Map)) throw invalid('it has no root');
  return root;
}

function readExtension(
  image: Uint8Array,
  { sector, sectors }: { sector: number; sectors: number },
  isFirst: boolean,
  onRecord: (bytes: Uint8Array) => void,
): { sector: number; sectors: number } | undefined {
  const start = sector * SECTOR;
  if (sectors < 1 || sectors > MAX_SECTORS || start + sectors * SECTOR > image.length)
    throw invalid('a log extension is outside');
  const bytes = image.subarray(start, start + sectors * SECTOR);
  const cursor = new Cursor(bytes);
  if (Buffer.from(cursor.take(6)).toString('latin1') !== 'NVMTFS') throw invalid('the magic is missing');
  const version = cursor.varint();
  if (version !== 5) throw invalid(`version ${version}`);
  if (cursor.varint() !== sectors) throw invalid('a log extension has another length than its link says');
  if (isFirst) {
    cursor.take(16);
    while (cursor.byte() !== 0);
  }
  for (;;) {
    const type = cursor.byte();
    if (type === RECORD.end) return undefined;
    if (type === RECORD.link) return { sector: cursor.varint(), sectors: cursor.varint() };
    if (type === RECORD.segment) continue;
    if (type !== RECORD.tuple) throw invalid(`a record of type ${type}`);
    const total = cursor.varint();
    const piece = cursor.varint();
    if (piece !== total) throw invalid('a record that is split');
    onRecord(cursor.take(piece));
  }
}

class Cursor {
  #at = 0;
  constructor(private readonly bytes: Uint8Array) {}

  byte(): number {
    const byte = this.bytes[this.#at++];
    if (byte === undefined) throw invalid('it is cut off');
    return byte;
  }

  take(length: number): Uint8Array {
    if (this.#at + length > this.bytes.length) throw invalid('it is cut off');
    this.#at += length;
    return this.bytes.subarray(this.#at - length, this.#at);
  }

  varint(): number {
    let number = 0;
    for (;;) {
      const group = this.byte();
      number = number * 128 + (group & 0x7f);
      if (number > Number.MAX_SAFE_INTEGER) throw invalid('a number that is too large');
      if ((group & 0x80) === 0) return number;
    }
  }
}

function invalid(message: string): UnikError {
  return new UnikError('image_invalid', `TFS: ${message}`);
}
