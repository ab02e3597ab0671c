import { EventEmitter } from 'node:events';
import { mkdir, open, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../../core/errors.js';
import { readJsonFile, writeJsonFile } from '../../core/json-file.js';
import { Turns } from '../../core/turns.js';
import { FrameReader, type FrameState, type Piece } from '../console/frames.js';
import type { StreamName } from '../model.js';
import type { ConsoleChunk, ConsolePosition } from '../providers/provider.js';

const STREAMS = ['kernel', 'stdout', 'stderr', 'control'] as const;
type Stream = (typeof STREAMS)[number];
const CHUNK = 64 * 1024;
/** So much of a stream must be stored elsewhere before its file is written anew without it. */
const FREE_BYTES = 1024 * 1024;

/** How far the serial line was read, and what came of it: written after each batch, so that a crash repeats and loses nothing. */
interface SpoolState {
  frames: FrameState;
  /** Bytes of the serial line that were read, where it can be read from a position. */
  read: number;
  /** Of each stream: bytes that came, and of those, how many of the first are no longer kept. */
  ends: Record<Stream, number>;
  bases: Record<Stream, number>;
}

const nothing = (): Record<Stream, number> => ({ kernel: 0, stdout: 0, stderr: 0, control: 0 });

/** One machine's console on this host: what was read off its serial line, taken apart. */
export class Spool {
  #reader = new FrameReader();
  #state: SpoolState = { frames: this.#reader.state, read: 0, ends: nothing(), bases: nothing() };
  readonly #news = new EventEmitter().setMaxListeners(0);
  /** The serial line as it was read last, where only its last part can be read. */
  tail: Buffer = Buffer.alloc(0);
  /** No more will come. */
  ended = false;
  #closed = false;
  /** One change at a time. */
  readonly #turns = new Turns();

  private constructor(private readonly dir: string) {}

  static async open(dir: string): Promise<Spool> {
    const spool = new Spool(dir);
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const state = (await readJsonFile(join(dir, 'spool.json'))) as SpoolState | undefined;
    if (state) {
      spool.#state = state;
      spool.#reader = FrameReader.resume(state.frames);
      spool.tail = await readFile(join(dir, 'tail')).catch(() => Buffer.alloc(0));
      for (const stream of STREAMS) await spool.#cut(stream);
    }
    return spool;
  }

  get read(): number {
    return this.#state.read;
  }

  /** Takes further bytes of the serial line. `tail`: the line's last part that they are the end of. */
  take(bytes: Buffer, tail?: Buffer): Promise<void> {
    return this.#inTurn(async () => {
      const pieces = this.#reader.read(bytes);
      for (const stream of STREAMS) await this.#append(stream, pieces);
      this.#state.read += bytes.length;
      this.#state.frames = this.#reader.state;
      if (tail) {
        await writeFile(join(this.dir, 'tail.new'), tail, { mode: 0o600 });
        await rename(join(this.dir, 'tail.new'), join(this.dir, 'tail'));
        this.tail = tail;
      }
      await this.#save();
      this.#news.emit('news');
    });
  }

  /** Ends what is being written; nothing is taken any more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.end();
    await this.#turns.idle();
  }

  end(): void {
    this.ended = true;
    this.#news.emit('news');
  }

  /** What the guest's init has said. */
  control(): Promise<string> {
    return this.#text('control', 0, this.#state.ends.control);
  }

  /** The last of the kernel's lines. */
  kernelTail(): Promise<string> {
    const { kernel: end } = this.#state.ends;
    return this.#text('kernel', Math.max(this.#state.bases.kernel, end - 16 * 1024), end);
  }

  async *chunks(from: ConsolePosition, signal: AbortSignal): AsyncGenerator<ConsoleChunk> {
    const at: Record<StreamName, number> = { kernel: 0, stdout: 0, stderr: 0, ...from };
    for (;;) {
      const last = this.ended;
      const news = this.#next(signal);
      for (const stream of ['kernel', 'stdout', 'stderr'] as const) {
        at[stream] = Math.max(at[stream], this.#state.bases[stream]);
        while (at[stream] < this.#state.ends[stream]) {
          const bytes = await this.#bytes(stream, at[stream], Math.min(this.#state.ends[stream], at[stream] + CHUNK));
          if (bytes.length === 0) break;
          at[stream] += bytes.length;
          yield { stream, bytes, end: at[stream] };
          signal.throwIfAborted();
        }
      }
      if (last) return;
      await news;
      signal.throwIfAborted();
    }
  }

  /** Bytes up to there are stored elsewhere. */
  free(upTo: ConsolePosition): Promise<void> {
    return this.#inTurn(async () => {
      for (const stream of ['kernel', 'stdout', 'stderr'] as const) {
        const { ends, bases } = this.#state;
        const stored = Math.min(upTo[stream] ?? 0, ends[stream]);
        if (stored - bases[stream] < FREE_BYTES) continue;
        const rest = await this.#bytes(stream, stored, ends[stream]);
        await writeFile(this.#path(stream, stored), rest, { mode: 0o600 });
        const old = this.#path(stream, bases[stream]);
        bases[stream] = stored;
        await this.#save();
        await rm(old, { force: true });
      }
    });
  }

  /** Resolves when something came; also when the signal fires. */
  #next(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#news.off('news', done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#news.on('news', done);
      signal.addEventListener('abort', done, { once: true });
      if (signal.aborted) done();
    });
  }

  async #append(stream: Stream, pieces: readonly Piece[]): Promise<void> {
    const bytes = Buffer.concat(pieces.filter(({ kind }) => kind === stream).map((piece) => piece.bytes));
    if (bytes.length === 0) return;
    const file = await open(this.#path(stream, this.#state.bases[stream]), 'a', 0o600);
    try {
      await file.write(bytes);
    } finally {
      await file.close();
    }
    this.#state.ends[stream] += bytes.length;
  }

  /** What a process that died had added and not noted comes again. */
  async #cut(stream: Stream): Promise<void> {
    const { ends, bases } = this.#state;
    await truncate(this.#path(stream, bases[stream]), ends[stream] - bases[stream]).catch((err: unknown) => {
      if (!hasCode(err, 'ENOENT')) throw err;
    });
  }

  #save(): Promise<void> {
    return writeJsonFile(join(this.dir, 'spool.json'), this.#state);
  }

  async #text(stream: Stream, from: number, to: number): Promise<string> {
    return (await this.#bytes(stream, from, to)).toString('utf8');
  }

  async #bytes(stream: Stream, from: number, to: number): Promise<Buffer> {
    const base = this.#state.bases[stream];
    try {
      const file = await open(this.#path(stream, base), 'r');
      try {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(to - from), 0, to - from, from - base);
        return buffer.subarray(0, bytesRead);
      } finally {
        await file.close();
      }
    } catch (err) {
      if (hasCode(err, 'ENOENT')) return Buffer.alloc(0);
      throw err;
    }
  }

  #path(stream: Stream, base: number): string {
    return join(this.dir, `${stream}.${base}`);
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    return this.#turns.take(async () => {
      if (!this.#closed) await work();
    });
  }
}
