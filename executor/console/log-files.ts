/**
 * How a log lies on disk: a folder per log id, in it a few files of JSON lines named by the number of their first
 * line. Each file begins with the positions that its writers had reached, so the newest file alone tells where to go on.
 */
import { open, readdir, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../../core/errors.js';
import { readSome } from '../../core/read-some.js';
import type { Key, LogLine, StreamName } from '../model.js';
import type { ConsolePosition } from '../providers/provider.js';
import { LineCutter } from './lines.js';

export interface StoredLine extends LogLine {
  /** Counts the lines of the log, from 1; a gap tells a reader how many it missed. */
  n: number;
  /** The machine that said it, and where its line ended in its stream. */
  key: Key;
  end: number;
  /** The machine's stream that it came by, where that is another than whose line it is. */
  from?: StreamName;
}

export interface FileHead {
  positions: Record<Key, ConsolePosition>;
}

/** Stored lines are JSON, which may be several times as long as the text. */
const MAX_STORED_BYTES = 1024 * 1024;

export const fileName = (firstLine: number): string => `${String(firstLine).padStart(12, '0')}.jsonl`;

/** Names of a log's files, oldest first; none when there is no such log. */
export async function listFiles(dir: string): Promise<string[]> {
  try {
    return (await readdir(dir)).filter((name) => name.endsWith('.jsonl')).sort();
  } catch (err) {
    if (hasCode(err, 'ENOENT')) return [];
    throw err;
  }
}

/** Reads one file as it grows. */
export class FileReader {
  readonly #cutter = new LineCutter(0, MAX_STORED_BYTES);
  #offset = 0;
  /** The end of the last whole line. */
  wholeBytes = 0;

  private constructor(private readonly file: FileHandle) {}

  /** Undefined: rotated away meanwhile. */
  static async open(path: string): Promise<FileReader | undefined> {
    try {
      return new FileReader(await open(path, 'r'));
    } catch (err) {
      if (hasCode(err, 'ENOENT')) return undefined;
      throw err;
    }
  }

  /** The lines up to what is now the end. */
  async *rest(): AsyncGenerator<StoredLine | FileHead> {
    for (;;) {
      const { buffer, bytesRead } = await readSome(this.file, this.#offset);
      if (bytesRead === 0) return;
      this.#offset += bytesRead;
      for (const line of this.#cutter.push(buffer.subarray(0, bytesRead))) {
        this.wholeBytes = line.end;
        const value = parseLine(line.text);
        if (value) yield value;
      }
    }
  }

  close(): Promise<void> {
    return this.file.close();
  }
}

/** Undefined for a line that a crash or a hand has damaged. */
function parseLine(text: string): StoredLine | FileHead | undefined {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null ? (value as StoredLine | FileHead) : undefined;
  } catch {
    return undefined;
  }
}

export const isHead = (value: StoredLine | FileHead): value is FileHead => 'positions' in value;

export interface Resumption {
  /** Number of the next line. */
  next: number;
  positions: Map<Key, ConsolePosition>;
  /** The file to go on with, cut to its last whole line. */
  file?: { name: string; bytes: number };
}

/** What the newest file tells a writer that goes on after a restart. */
export async function resume(dir: string): Promise<Resumption> {
  const name = (await listFiles(dir)).at(-1);
  const resumption: Resumption = { next: name ? Number.parseInt(name, 10) : 1, positions: new Map() };
  const reader = name && (await FileReader.open(join(dir, name)));
  if (!reader) return resumption;
  try {
    for await (const line of reader.rest()) {
      if (isHead(line)) {
        resumption.positions = new Map(Object.entries(line.positions));
      } else {
        resumption.next = line.n + 1;
        resumption.positions.set(line.key, {
          ...resumption.positions.get(line.key),
          [line.from ?? line.stream]: line.end,
        });
      }
    }
    resumption.file = { name, bytes: reader.wholeBytes };
    return resumption;
  } finally {
    await reader.close();
  }
}
