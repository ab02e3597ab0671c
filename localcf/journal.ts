/**
 * Changes on disk: `journal-N.jsonl` is appended to, one line per command, several lines per fsync; a journal grown
 * large is replaced by `snapshot-N+1.jsonl` (all rows, written whole or not at all) and an empty journal-N+1. A reply
 * waits for `settled`. The last line of a journal may be torn by a crash: its command was never answered, so it is
 * dropped.
 */
import { open, mkdir, readdir, readFile, rm, truncate, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode, UnikError } from '../core/errors.js';
import { writeFileAtomic } from '../core/json-file.js';

/** Changes as lines: `write` ends each with a newline; `name` is told where a line cannot be read. */
export interface Lines<E> {
  write(entries: readonly E[]): string;
  read(text: string, name: string): E[];
}

export interface Journal<E> {
  append(entries: readonly E[]): void;
  /** Resolves when all that was appended is on disk. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

/** Keeps nothing. */
export const noJournal: Journal<unknown> = {
  append: () => undefined,
  settled: async () => undefined,
  close: async () => undefined,
};

export interface JournalOptions<E> {
  folder: string;
  lines: Lines<E>;
  /** Everything there is, for a snapshot. */
  all: () => Iterable<E>;
  /** Bytes after which a journal is replaced by a snapshot. */
  rotate_bytes?: number;
  /** For tests: what makes written bytes durable. */
  sync?: (file: FileHandle) => Promise<void>;
}

const NAME = /^(journal|snapshot)-(\d+)\.jsonl$/;

/** What a folder's files tell, oldest first, and the number of the generation to go on with. */
export async function recover<E>(folder: string, lines: Lines<E>): Promise<{ entries: E[]; generation: number }> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const names = (await readdir(folder)).flatMap((name) => {
    const [, kind, n] = NAME.exec(name) ?? [];
    return kind === undefined ? [] : [{ name, kind, n: Number(n) }];
  });
  const generation = Math.max(0, ...names.filter(({ kind }) => kind === 'snapshot').map(({ n }) => n));
  const snapshot = generation > 0 ? await readText(join(folder, `snapshot-${generation}.jsonl`)) : '';
  const path = join(folder, `journal-${generation}.jsonl`);
  const journal = await readText(path);
  const whole = journal.slice(0, journal.lastIndexOf('\n') + 1);
  // What is appended next must not continue a torn line.
  if (whole.length < journal.length) await truncate(path, Buffer.byteLength(whole));
  const entries = [
    ...lines.read(snapshot, `snapshot-${generation}.jsonl`),
    ...lines.read(whole, `journal-${generation}.jsonl`),
  ];
  for (const { name, n } of names) if (n < generation) await rm(join(folder, name), { force: true });
  return { entries, generation };
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (err) {
    if (hasCode(err, 'ENOENT')) return '';
    throw err;
  }
}

interface Batch {
  text: string;
  done: Promise<void>;
  resolve: () => void;
  reject: (err: unknown) => void;
}

export async function openJournal<E>(options: JournalOptions<E>, generation: number): Promise<Journal<E>> {
  const { folder, lines, all, rotate_bytes = 16 * 2 ** 20, sync = (one: FileHandle) => one.datasync() } = options;
  let n = generation;
  let file = await openFile(folder, n);
  let bytes = (await file.stat()).size;
  let waiting: Batch | undefined;
  let writing: Promise<void> = Promise.resolve();
  let busy = false;
  let last: Promise<void> = Promise.resolve();
  let broken: UnikError | undefined;

  async function rotate(): Promise<void> {
    n += 1;
    const rows = [...all()].map((entry) => lines.write([entry])).join('');
    await writeFileAtomic(join(folder, `snapshot-${n}.jsonl`), rows);
    await file.close();
    file = await openFile(folder, n);
    bytes = 0;
    for (const old of [`snapshot-${n - 1}.jsonl`, `journal-${n - 1}.jsonl`])
      await rm(join(folder, old), { force: true });
  }

  async function write(batch: Batch): Promise<void> {
    // A snapshot taken now holds this batch's changes too.
    if (bytes + batch.text.length > rotate_bytes) return rotate();
    await file.appendFile(batch.text);
    bytes += Buffer.byteLength(batch.text);
    await sync(file);
  }

  async function pump(): Promise<void> {
    busy = true;
    while (waiting) {
      const batch = waiting;
      waiting = undefined;
      try {
        if (broken) throw broken;
        await write(batch);
        batch.resolve();
      } catch (err) {
        // What is on disk is not known any more: nothing later may be answered as kept.
        broken ??= new UnikError('disk_full', `the journal in ${folder} cannot be written`, { cause: err });
        batch.reject(broken);
      }
    }
    busy = false;
  }

  return {
    append(entries) {
      if (entries.length === 0) return;
      waiting ??= newBatch();
      waiting.text += lines.write(entries);
      last = waiting.done;
      if (!busy) writing = pump();
    },
    settled: () => last,
    async close() {
      await writing;
      await file.close();
    },
  };
}

function newBatch(): Batch {
  const { promise, resolve, reject } = withResolvers();
  // Whoever waits for it is told; nobody may.
  promise.catch(() => undefined);
  return { text: '', done: promise, resolve, reject };
}

function withResolvers(): { promise: Promise<void>; resolve: () => void; reject: (err: unknown) => void } {
  let resolve: () => void = () => undefined;
  let reject: (err: unknown) => void = () => undefined;
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

const openFile = (folder: string, n: number): Promise<FileHandle> =>
  open(join(folder, `journal-${n}.jsonl`), 'a', 0o600);
