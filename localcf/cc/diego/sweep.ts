/** Bits that no row names any more are removed from disk. */
import type { Clock } from '../../../core/clock.js';
import { messageOf } from '../../../core/errors.js';
import type { Log } from '../../../core/log.js';
import type { Blobs } from '../blobs.js';
import type { Store } from '../store.js';

export function usedBlobs(store: Store): Set<string> {
  const rows = [...store.package.all(), ...store.droplet.all(), ...store.buildpack.all(), ...store.build_cache.all()];
  return new Set(rows.flatMap(({ sha256 }) => (sha256 === null ? [] : [sha256])));
}

const TABLES = new Set(['package', 'droplet', 'buildpack', 'build_cache']);
const PAUSE_MS = 500;

/** Sweeps now, and a moment after rows of bits have changed. Returns what ends it. */
export function keepSwept({
  store,
  blobs,
  clock,
  log,
}: {
  store: Store;
  blobs: Blobs;
  clock: Clock;
  log: Log;
}): () => Promise<void> {
  const stopping = new AbortController();
  let sweeping: Promise<void> | undefined;
  let again = false;
  const isAsked = (): boolean => again;
  async function sweep(): Promise<void> {
    do {
      again = false;
      await clock.sleep(PAUSE_MS, stopping.signal);
      // What a crash would take back must not have cost its bits.
      await store.settled();
      const gone = await blobs.sweep(() => usedBlobs(store));
      if (gone > 0) log.info({ blobs: gone }, 'blobs.swept');
    } while (isAsked());
  }
  function start(): void {
    again = true;
    sweeping ??= sweep()
      .catch((err: unknown) => {
        if (!stopping.signal.aborted) log.warn({ reason: messageOf(err) }, 'blobs.sweep-failed');
      })
      .finally(() => (sweeping = undefined));
  }
  const unwatch = store.watch((changes) => {
    if (changes.some((one) => TABLES.has('put' in one ? one.put : one.drop))) start();
  });
  start();
  return async () => {
    unwatch();
    stopping.abort();
    await sweeping;
  };
}
