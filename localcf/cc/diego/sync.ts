/**
 * Keeps the BBS as the tables say, by level: each pass compares all there is, so what a crash or an outage cut off is
 * done by the next. Changes of the tables wake it; otherwise it passes as often as Cloud Controller's clock does.
 */
import type { Bbs } from '../../../backend/wire/bbs.js';
import type { Clock } from '../../../core/clock.js';
import { messageOf } from '../../../core/errors.js';
import type { Log } from '../../../core/log.js';
import type { Places } from '../recipes/facts.js';
import type { Store } from '../store.js';
import { syncBuilds } from './sync-builds.js';
import { syncLrps } from './sync-lrps.js';
import { syncTasks } from './sync-tasks.js';

export interface SyncOptions {
  store: Store;
  bbs: Bbs;
  places: Places;
  clock: Clock;
  log: Log;
  /** Milliseconds between passes that nothing woke. */
  period_ms?: number;
  /** And after one that failed. */
  retry_ms?: number;
}

export interface Sync {
  /** Something changed. */
  kick(): void;
  /** Resolves when a pass that began after this call has ended; false: it failed, or took longer than `most_ms`. */
  passed(most_ms: number): Promise<boolean>;
  close(): Promise<void>;
}

export function startSync(options: SyncOptions): Sync {
  const { clock, log, period_ms = 30_000, retry_ms = 1_000 } = options;
  const stopping = new AbortController();
  const isStopping = (): boolean => stopping.signal.aborted;
  let waiting: ((ok: boolean) => void)[] = [];
  let dirty = true;
  const isDirty = (): boolean => dirty;
  let wake: () => void = () => undefined;

  async function run(): Promise<void> {
    while (!isStopping()) {
      dirty = false;
      const told = waiting;
      waiting = [];
      const ok = await pass(options, stopping.signal).catch((err: unknown) => {
        if (!isStopping()) log.warn({ reason: messageOf(err) }, 'sync.pass-failed');
        return false;
      });
      for (const tell of told) tell(ok);
      if (!isDirty() || !ok) await pause(ok ? period_ms : retry_ms, !ok);
    }
    for (const tell of waiting) tell(false);
  }

  /** Ends early when something changes, unless the last pass failed: then the pause is kept. */
  async function pause(ms: number, whole: boolean): Promise<void> {
    const early = new AbortController();
    const stop = (): void => early.abort();
    stopping.signal.addEventListener('abort', stop, { once: true });
    if (!whole) wake = stop;
    if (stopping.signal.aborted || (dirty && !whole)) stop();
    await clock.sleep(ms, early.signal).catch(() => undefined);
    wake = () => undefined;
    stopping.signal.removeEventListener('abort', stop);
  }

  const kick = (): void => {
    dirty = true;
    wake();
  };
  const running = run();
  return {
    kick,
    async passed(most_ms) {
      let timer: NodeJS.Timeout | undefined;
      const pass = new Promise<boolean>((resolve) => waiting.push(resolve));
      const late = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), most_ms)));
      kick();
      const ok = await Promise.race([pass, late]);
      clearTimeout(timer);
      return ok;
    },
    async close() {
      stopping.abort();
      await running;
    },
  };
}

/** False: something could not be done; all that could be was. */
async function pass(options: SyncOptions, signal: AbortSignal): Promise<boolean> {
  const parts = await Promise.allSettled([
    syncLrps(options, signal),
    syncTasks(options, signal),
    syncBuilds(options, signal),
  ]);
  const failed = parts.filter((part) => part.status === 'rejected');
  for (const { reason } of failed) {
    signal.throwIfAborted();
    options.log.warn({ reason: messageOf(reason) }, 'sync.part-failed');
  }
  return failed.length === 0;
}
