import { createHash } from 'node:crypto';
import { close, fsync, openSync, write } from 'node:fs';
import { promisify } from 'node:util';

/** Small enough that what was read is still in the processor's cache when it is hashed and written. */
const CHUNK = 256 * 1024;
/** Chunks on their way to the disk: while they are written, the next is read and hashed. */
const CHUNKS = 8;

const writeTo = promisify(write);
const syncFile = promisify(fsync);
const closeFile = promisify(close);

/**
 * A new file written front to back and hashed on the way, through a few buffers that are used again and again.
 * Fill `room()`, say how much with `filled(n)`; when that gives true, await `next()` before going on.
 */
export class Output {
  readonly #fd: number;
  readonly #hash = createHash('sha256');
  readonly #free: Buffer[] = Array.from({ length: CHUNKS }, () => Buffer.allocUnsafeSlow(CHUNK));
  /** Chunks being written, oldest first; each gives its buffer back. */
  readonly #writing: Promise<Buffer>[] = [];
  #chunk: Buffer = Buffer.allocUnsafeSlow(CHUNK);
  #used = 0;
  /** Written so far, what waits included. */
  bytes = 0;

  constructor(path: string) {
    this.#fd = openSync(path, 'wx', 0o600);
  }

  /** Where the next bytes go; at least one block long. */
  room(): Buffer {
    return this.#chunk.subarray(this.#used);
  }

  /** Takes the first `n` bytes of the room. True: the chunk is full, await `next()`. */
  filled(n: number): boolean {
    this.#used += n;
    this.bytes += n;
    return this.#used === CHUNK;
  }

  /** Writes any bytes, waiting where it must. Throws what writing threw. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const room = this.room();
      const n = Math.min(room.length, bytes.length - at);
      room.set(bytes.subarray(at, at + n));
      if (this.filled(n)) await this.next();
      at += n;
    }
  }

  /** Hands the chunk over and takes another one as soon as one is free. Throws what writing an earlier one threw. */
  async next(): Promise<void> {
    const chunk = this.#chunk;
    const part = chunk.subarray(0, this.#used);
    const written = this.#store(part, this.#writing.at(-1)).then(() => chunk);
    // Whoever takes the buffer back sees the failure; until then it must not count as unhandled.
    written.catch(() => undefined);
    this.#writing.push(written);
    this.#hash.update(part);
    this.#chunk = this.#free.pop() ?? (await this.#writing.shift()) ?? Buffer.allocUnsafeSlow(CHUNK);
    this.#used = 0;
  }

  /** Resolves with `sha256:<hex>` when all is on the disk. */
  async finish(): Promise<string> {
    await this.next();
    await Promise.all(this.#writing);
    await syncFile(this.#fd);
    return `sha256:${this.#hash.digest('hex')}`;
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#writing);
    await closeFile(this.#fd);
  }

  /** One write at a time keeps the order. */
  async #store(part: Buffer, before: Promise<Buffer> | undefined): Promise<void> {
    await before;
    for (let done = 0; done < part.length;) done += (await writeTo(this.#fd, part, done)).bytesWritten;
  }
}
