/**
 * Log lines on disk, so that a restart forgets none but the last: two files, of which the older goes when the newer is
 * full. Each record: its length (4 bytes, the highest first), then a Loggregator batch. Metrics are not kept: they come anew.
 */
import { appendFile, mkdir, readFile, rename, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { decode, encode } from '../../backend/wire/codec.js';
import type { Envelope } from '../../backend/wire/loggregator.js';
import type { Clock } from '../../core/clock.js';
import { hasCode, messageOf } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import type { LogStore } from './store.js';

export interface KeptOptions {
  /** Ours alone. */
  folder: string;
  clock: Clock;
  log: Log;
  /** Of one of the two files: 8 MiB. */
  file_bytes?: number;
  /** How long a line may wait to be written: 200 ms. */
  pause_ms?: number;
}

const NAME = 'loggregator.v2.EnvelopeBatch';

/** The store, filled with what was kept, and kept from now on. `close` writes what waits. */
export async function keptStore(store: LogStore, options: KeptOptions): Promise<LogStore & { close(): Promise<void> }> {
  const { folder, clock, log, file_bytes = 8 * 2 ** 20, pause_ms = 200 } = options;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const [older, newer] = [join(folder, 'older'), join(folder, 'newer')];
  await replay(older, store);
  let written = await replay(newer, store);
  let waiting: Buffer[] = [];
  let writing: Promise<void> | undefined;
  const closing = new AbortController();

  async function write(): Promise<void> {
    const bytes = Buffer.concat(waiting);
    waiting = [];
    if (written > 0 && written + bytes.length > file_bytes) {
      await rename(newer, older);
      written = 0;
    }
    await appendFile(newer, bytes, { mode: 0o600 });
    written += bytes.length;
  }

  /** Until nothing waits. Never throws: lines that cannot be kept can still be read. */
  async function drain(): Promise<void> {
    while (waiting.length > 0) {
      await clock.sleep(pause_ms, closing.signal).catch(() => undefined);
      await write().catch((err: unknown) => log.warn({ folder, reason: messageOf(err) }, 'logs.not-kept'));
    }
  }

  return {
    ...store,
    put(envelopes) {
      store.put(envelopes);
      const batch = envelopes.filter((one) => one.log !== undefined);
      if (batch.length === 0) return;
      waiting.push(record(batch));
      writing ??= drain().finally(() => (writing = undefined));
    },
    async close() {
      closing.abort();
      await writing;
    },
  };
}

function record(batch: Envelope[]): Buffer {
  const bytes = encode(NAME, { batch });
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** How many bytes are whole. What a kill left half written is cut off, so that what follows can be read. */
async function replay(file: string, store: LogStore): Promise<number> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (err) {
    if (hasCode(err, 'ENOENT')) return 0;
    throw err;
  }
  let at = 0;
  while (at + 4 <= bytes.length) {
    const end = at + 4 + bytes.readUInt32BE(at);
    if (end > bytes.length) break;
    try {
      store.put(decode(NAME, bytes.subarray(at + 4, end)).batch);
    } catch {
      // Not ours, or overwritten: nothing after it can be told apart.
      break;
    }
    at = end;
  }
  if (at < bytes.length) await truncate(file, at);
  return at;
}
