import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { Agent } from 'undici';
import type { Clock } from '../../core/clock.js';
import { messageOf, UnikError } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import { DownloadCache, type CachedFile } from './cache.js';
import { FinalError, transfer, type Checksum, type Transferred, type Validators } from './transfer.js';

/** What to bring; a cell's `Download` is one. */
export interface FetchOrder {
  from: string;
  /** Non-empty: kept between uses and revalidated. */
  cache_key: string;
  checksum?: Checksum;
}

export interface Fetched {
  /** The archive as it came. Valid until `release`; never write to it. */
  path: string;
  bytes: number;
  /** Call once when done with the file. */
  release(): Promise<void>;
}

export interface Fetcher {
  /** Rejects with the signal's reason, or with download_failed, disk_full. Messages hold no secret of the URL. */
  fetch(order: FetchOrder, signal: AbortSignal): Promise<Fetched>;
  /** Ends what is under way. Files stay. */
  close(): Promise<void>;
}

export interface FetcherOptions {
  /** Its own folder; made, and swept of half downloads, at first use. One process at a time. */
  folder: string;
  /** Bound of the cache, and of one download unless `max_download_bytes` is given. */
  max_bytes: number;
  max_download_bytes?: number;
  /** Shown to servers that ask for a certificate, PEM; `ca` is trusted beside the public authorities. */
  tls?: { ca: string; cert: string; key: string };
  clock: Clock;
  log: Log;
  /** No byte for this long ends an attempt. Diego: 10 s. */
  idle_ms?: number;
  /** Diego: 4. */
  attempts?: number;
  pause_ms?: number;
}

const UNCHANGED: Transferred = { kind: 'unchanged' };

/** A download that callers wait for; it ends when the last of them has gone. */
interface Job {
  waiting: number;
  ended: AbortController;
  file: Promise<CachedFile>;
  /** There once it is on disk; each who waits then holds it. */
  done?: CachedFile;
}

/**
 * Downloads as Diego's executor does (cacheddownloader, `download_step.go`): 4 attempts, an idle limit of 10 s,
 * checksums, and a cache by `cache_key` revalidated with ETag and Last-Modified. Callers that want the same at the same
 * time share one download. What is there with the wanted sha256 is given without asking anybody.
 */
export function createFetcher(options: FetcherOptions): Fetcher {
  const { tls, clock, log, idle_ms = 10_000, attempts = 4, pause_ms = 500 } = options;
  const max_bytes = options.max_download_bytes ?? options.max_bytes;
  const cache = new DownloadCache(join(options.folder, 'downloads'), options.max_bytes, log);
  const dispatcher = new Agent({
    connect: { ...(tls ? { ...tls, ca: [...rootCertificates, tls.ca] } : {}), timeout: idle_ms },
    headersTimeout: idle_ms,
    bodyTimeout: idle_ms,
  });
  const jobs = new Map<string, Job>();
  const closing = new AbortController();

  async function bring(order: FetchOrder, signal: AbortSignal): Promise<CachedFile> {
    const { cache_key } = order;
    const checksum = checksumText(order);
    const known = cache_key === '' ? undefined : await held(cache_key, checksum);
    let keep = false;
    try {
      const path = cache.freshPath();
      const proven = known !== undefined && checksum.startsWith('sha256:');
      const got = proven ? UNCHANGED : await transferOften(order, path, known?.validators, signal);
      if (known && got.kind === 'unchanged') {
        await cache.touch(cache_key, clock.now());
        keep = true;
        return known;
      }
      if (got.kind === 'unchanged') throw new UnikError('internal', 'a download without a known file is unchanged');
      const { bytes, validators } = got;
      const cacheable = cache_key !== '' && (checksum !== '' || Object.keys(validators).length > 0);
      const file = { path, bytes, validators, checksum, used_at: clock.now(), holders: 1, forgotten: !cacheable };
      return cacheable ? await cache.put(cache_key, file) : file;
    } finally {
      if (known && !keep) await cache.release(known);
    }
  }

  /** What the cache has and may still be right. Another content must not come back as "unchanged". */
  async function held(cache_key: string, checksum: string): Promise<CachedFile | undefined> {
    const found = cache.get(cache_key);
    if (!found || found.checksum !== checksum) return undefined;
    found.holders += 1;
    const size = await stat(found.path).then(
      (info) => info.size,
      () => -1,
    );
    if (size === found.bytes) return found;
    await cache.release(found);
    return undefined;
  }

  async function transferOften(
    { from, checksum }: FetchOrder,
    path: string,
    known: Validators | undefined,
    signal: AbortSignal,
  ): Promise<Transferred> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await transfer(from, path, { dispatcher, max_bytes, checksum, known }, signal);
      } catch (err) {
        const again = err instanceof UnikError && err.code === 'download_failed' && !(err instanceof FinalError);
        if (signal.aborted || !again || attempt >= attempts) throw err;
        log.warn({ attempt, err: messageOf(err) }, 'download.attempt-failed');
        await clock.sleep(pause_ms, signal);
      }
    }
  }

  function jobFor(order: FetchOrder): Job {
    const name =
      order.cache_key === '' ? undefined : JSON.stringify([order.cache_key, order.from, checksumText(order)]);
    const running = name === undefined ? undefined : jobs.get(name);
    if (running && !running.ended.signal.aborted) return running;
    const ended = new AbortController();
    const work = async (): Promise<CachedFile> => {
      try {
        await cache.load();
        const file = await bring(order, AbortSignal.any([ended.signal, closing.signal]));
        // Held once by us until now; from here on by each who waits. Nothing may come between.
        file.holders += job.waiting;
        job.done = file;
        return file;
      } finally {
        if (name !== undefined && jobs.get(name) === job) jobs.delete(name);
        if (job.done) await cache.release(job.done);
      }
    };
    // Later, not now: the work looks at the job.
    const job: Job = { waiting: 0, ended, file: Promise.resolve().then(work) };
    job.file.catch((err: unknown) => log.debug({ err: messageOf(err) }, 'download.failed'));
    if (name !== undefined) jobs.set(name, job);
    return job;
  }

  return {
    async fetch(order, signal) {
      signal.throwIfAborted();
      const job = jobFor(order);
      job.waiting += 1;
      try {
        const file = await unless(signal, job.file);
        return { path: file.path, bytes: file.bytes, release: once(() => cache.release(file)) };
      } catch (err) {
        job.waiting -= 1;
        if (job.done) await cache.release(job.done);
        else if (job.waiting === 0) job.ended.abort(err);
        throw err;
      }
    },
    async close() {
      closing.abort();
      await Promise.allSettled([...jobs.values()].map((job) => job.file));
      await dispatcher.destroy();
    },
  };
}

function checksumText({ checksum }: FetchOrder): string {
  return checksum ? `${checksum.algorithm}:${checksum.value.toLowerCase()}` : '';
}

/** The promise's end, or a rejection as soon as the signal fires. */
async function unless<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  signal.throwIfAborted();
  let stop = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function once(run: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => (done ??= run());
}
