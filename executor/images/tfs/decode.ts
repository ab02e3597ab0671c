import { UnikError } from '../../../core/errors.js';
import type { Tuple, Value } from './encode.js';

/** Deeper than any tree of files; a cut-off or hostile log must not exhaust the stack. */
const MAX_DEPTH = 256;
/** More attributes than a tuple of ours has, fewer than would take long. */
const MAX_VALUES = 4_000_000;

/** Reads values with the dictionary that the writer built. Strings come as text. Throws image_invalid. */
export class Decoder {
  #at = 0;
  #values = 0;
  readonly #known: (Tuple | Value[] | string)[] = [];
  #bytes: Uint8Array = new Uint8Array();

  /** Goes on with the next record's bytes; the dictionary stays. */
  record(bytes: Uint8Array): Value | undefined {
    this.#bytes = bytes;
    this.#at = 0;
    return this.#value(0);
  }

  #value(depth: number): Value | undefined {
    if (depth > MAX_DEPTH) throw invalid('values nested too deep');
    const { full, type, length } = this.#header();
    switch (type) {
      case 0: {
        if (!full) return this.#symbolAt(length);
        return length === 0 ? undefined : Buffer.from(this.#take(length)).toString();
      }
      case 1:
        return this.#tuple(full, length, depth);
      case 2:
        return this.#vector(full, length, depth);
      case 3: {
        const magnitude = this.#varint();
        return length === 1 ? -magnitude : magnitude;
      }
      case 4:
        return Buffer.from(this.#take(length)).toString();
      default:
        throw invalid(`a value of type ${type}`);
    }
  }

  #tuple(full: boolean, length: number, depth: number): Tuple {
    const tuple = full ? new Map<string, Value>() : this.#knownAt(this.#varint());
    if (!(tuple instanceof Map)) throw invalid('a reference to something else than a tuple');
    if (full) this.#known.push(tuple);
    for (let i = 0; i < length; i++) {
      const name = this.#name();
      const value = this.#value(depth + 1);
      if (value === undefined) tuple.delete(name);
      else tuple.set(name, value);
    }
    return tuple;
  }

  #vector(full: boolean, length: number, depth: number): Value[] {
    const vector = full ? [] : this.#knownAt(this.#varint());
    if (!Array.isArray(vector)) throw invalid('a reference to something else than a vector');
    if (full) this.#known.push(vector);
    for (let i = 0; i < length; i++) {
      const value = this.#value(depth + 1);
      if (value !== undefined) vector.push(value);
    }
    return vector;
  }

  #name(): string {
    const { full, type, length } = this.#header();
    if (type !== 0) throw invalid('a name that is no symbol');
    if (!full) return this.#symbolAt(length);
    const name = Buffer.from(this.#take(length)).toString('latin1');
    this.#known.push(name);
    return name;
  }

  #symbolAt(index: number): string {
    const found = this.#knownAt(index);
    if (typeof found !== 'string') throw invalid('a reference to something else than a symbol');
    return found;
  }

  #knownAt(index: number): Tuple | Value[] | string {
    const found = this.#known[index - 1];
    if (found === undefined) throw invalid(`a reference to number ${index}, which is not there yet`);
    return found;
  }

  #header(): { full: boolean; type: number; length: number } {
    if (++this.#values > MAX_VALUES) throw invalid('too many values');
    const first = this.#byte();
    let length = first & 7;
    if ((first & 8) !== 0) length = this.#groups(length);
    return { full: (first & 0x80) !== 0, type: (first >> 4) & 7, length };
  }

  #varint(): number {
    return this.#groups(0);
  }

  #groups(start: number): number {
    let number = start;
    for (;;) {
      const group = this.#byte();
      number = number * 128 + (group & 0x7f);
      if (number > Number.MAX_SAFE_INTEGER) throw invalid('a number that is too large');
      if ((group & 0x80) === 0) return number;
    }
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw invalid('a record is cut off');
    return byte;
  }

  #take(length: number): Uint8Array {
    if (this.#at + length > this.#bytes.length) throw invalid('a record is cut off');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}

function invalid(message: string): UnikError {
  return new UnikError('image_invalid', `TFS: ${message}`);
}
