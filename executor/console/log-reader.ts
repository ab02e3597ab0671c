import { join } from 'node:path';
import type { LogQuery } from '../executor.js';
import type { LogLine } from '../model.js';
import { FileReader, isHead, listFiles } from './log-files.js';
import { Ring } from './ring.js';

/** Whether a log still grows, and when it does. */
export interface Growth {
  /** Changes with every write, and when the log stops growing. */
  version(): number;
  grows(): boolean;
  /** Resolves when the version is no longer `seen`; rejects by the signal. */
  changed(seen: number, signal: AbortSignal): Promise<void>;
}

/**
 * The lines of a log that a query asks for. A follower reads the files like everybody else, so however slow it is it
 * costs no memory; what was rotated away before it came there is told as one line that counts what it missed.
 */
export async function* readLog(
  dir: string,
  query: LogQuery,
  growth: Growth,
  signal: AbortSignal,
): AsyncGenerator<LogLine> {
  const wanted = (line: LogLine): boolean =>
    line.at >= (query.since ?? 0) && (query.streams?.includes(line.stream) ?? true);
  const tail = query.tail === undefined ? undefined : new Ring<LogLine>(query.tail);
  let past = true;
  for await (const line of walk(dir, query, growth, signal)) {
    if (line === undefined) {
      if (past && tail) yield* tail.values();
      past = false;
    } else if (wanted(line)) {
      if (past && tail) tail.push(line);
      else yield line;
    }
  }
}

/** Every line, oldest first; `undefined` each time all there is has been read. */
async function* walk(
  dir: string,
  { follow, streams }: LogQuery,
  growth: Growth,
  signal: AbortSignal,
): AsyncGenerator<LogLine | undefined> {
  let reader: FileReader | undefined;
  let current = '';
  let expected: number | undefined;
  try {
    for (;;) {
      const version = growth.version();
      const grows = growth.grows();
      const later = (await listFiles(dir)).filter((name) => name > current);
      // The list comes first: what was added to the current file before a later one appeared is read now.
      for (;;) {
        for await (const line of reader?.rest() ?? []) {
          signal.throwIfAborted();
          if (isHead(line)) continue;
          const missed = line.n - (expected ?? line.n);
          // In a stream that the reader asked for.
          if (missed > 0) yield { at: line.at, stream: streams?.[0] ?? 'kernel', text: droppedText(missed) };
          expected = line.n + 1;
          yield { at: line.at, stream: line.stream, text: line.text };
        }
        const name = later.shift();
        if (name === undefined) break;
        await reader?.close();
        reader = await FileReader.open(join(dir, name));
        current = name;
      }
      yield undefined;
      if (!follow || !grows) return;
      await growth.changed(version, signal);
    }
  } finally {
    await reader?.close();
  }
}

const droppedText = (lines: number): string => `unik: ${lines} lines dropped, this reader was too slow`;
