/** Work that outlives its request: a row per job; what a crash interrupts is begun again at the next start. */
import { messageOf } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import { toCfError } from './http.js';
import type { Job } from './model.js';
import type { Store, Tx } from './store.js';

export interface JobContext {
  /** Fires when this process ends: the job goes on at the next start. */
  signal: AbortSignal;
  /** Told to the user when the job has ended. */
  warn: (detail: string) => void;
}

/** Must be able to run again after it was cut off anywhere. */
export type Work = (job: Job, context: JobContext) => Promise<void>;

export interface Jobs {
  /** Once per operation, such as `app.delete`, before `resume`. */
  define(operation: string, work: Work): void;
  /** Begins now; the guid goes into `jobReply`. With a `tx`, the row is kept together with that change, and it begins after. */
  enqueue(operation: string, resource_guid: string, input?: unknown, tx?: Tx): string;
  /** The same work inside other work, without a row: deleting a space deletes its apps. */
  perform(operation: string, resource_guid: string, context: JobContext, input?: unknown): Promise<void>;
  /** Resolves when the job has ended, or after so many milliseconds, whichever comes first. */
  ended(guid: string, most_ms: number): Promise<void>;
  /** Begins again what was cut off by a crash. */
  resume(): void;
  close(): Promise<void>;
}

/** Jobs that ended are kept this many rows long. */
const KEPT = 500;

export function createJobs(store: Store, log: Log): Jobs {
  const works = new Map<string, Work>();
  const running = new Map<string, Promise<void>>();
  const stopping = new AbortController();

  async function run(job: Job): Promise<void> {
    let end: Pick<Job, 'state'> & Partial<Job>;
    try {
      const work = works.get(job.operation);
      if (!work) throw new Error(`no work is defined for ${job.operation}`);
      const warnings: { detail: string }[] = [];
      await work(job, { signal: stopping.signal, warn: (detail) => void warnings.push({ detail }) });
      end = { state: 'COMPLETE', warnings };
    } catch (err) {
      // Cut off by our own end: it goes on at the next start.
      if (stopping.signal.aborted) return;
      const error = toCfError(err);
      if (error.status >= 500) log.error({ err, operation: job.operation, reason: messageOf(err) }, 'cc.job-failed');
      end = { state: 'FAILED', errors: [...error.errors] };
    }
    store.change((tx) => {
      tx.update('job', job.guid, end);
      const old = store.job.filter(({ state }) => state !== 'PROCESSING');
      for (const { guid } of old.slice(0, -KEPT)) tx.remove('job', guid);
    });
    await store.settled();
  }

  function begin(job: Job): void {
    // Not at once: the change that made the row may still be undone or unfinished.
    const done = Promise.resolve()
      .then(() => (store.job.get(job.guid) ? run(job) : undefined))
      .catch((err: unknown) => log.error({ err, operation: job.operation }, 'cc.job-lost'))
      .finally(() => running.delete(job.guid));
    running.set(job.guid, done);
  }

  return {
    define: (operation, work) => void works.set(operation, work),
    enqueue(operation, resource_guid, input = null, tx) {
      const insert = (one: Tx): Job =>
        one.insert('job', { operation, resource_guid, input, state: 'PROCESSING', errors: [], warnings: [] });
      const job = tx ? insert(tx) : store.change(insert);
      begin(job);
      return job.guid;
    },
    async perform(operation, resource_guid, context, input = null) {
      const work = works.get(operation);
      if (!work) throw new Error(`no work is defined for ${operation}`);
      const none = { guid: '', seq: 0, created_at: '', updated_at: '', errors: [], warnings: [] };
      await work({ ...none, operation, resource_guid, input, state: 'PROCESSING' }, context);
    },
    async ended(guid, most_ms) {
      const job = running.get(guid);
      if (!job) return;
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, most_ms)));
      await Promise.race([job, late]);
      clearTimeout(timer);
    },
    resume() {
      for (const job of store.job.filter(({ state }) => state === 'PROCESSING')) begin(job);
    },
    async close() {
      stopping.abort();
      await Promise.all(running.values());
    },
  };
}
