/** A reconciler over a fake BBS and fake containers. */
import type { Clock } from '../../../core/clock.js';
import { noLog } from '../../../core/log.js';
import { Reconciler, type ReconcilerOptions } from '../../../backend/reconcile/loop.js';
import { FakeBbs } from './fake-bbs.js';
import { FakeContainers } from './fake-containers.js';
import { anOrder } from './samples.js';

export const CELL = { cell_id: 'cell-a', zone: 'z1' };

/** Time stands until it is turned. */
export class ManualClock implements Clock {
  #now = 0;
  readonly #sleepers = new Set<{ at: number; wake: () => void }>();

  now(): number {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#sleepers.delete(sleeper);
        reject(new DOMException('aborted', 'AbortError'));
      };
      const wake = (): void => {
        signal?.removeEventListener('abort', abort);
        resolve();
      };
      const sleeper = { at: this.#now + ms, wake };
      if (signal?.aborted) {
        abort();
        return;
      }
      signal?.addEventListener('abort', abort, { once: true });
      this.#sleepers.add(sleeper);
    });
  }

  /** Turns it on, and lets what woke up run. */
  async turn(ms: number): Promise<void> {
    const until = this.#now + ms;
    for (;;) {
      await flush();
      const [next] = [...this.#sleepers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at);
      if (!next) break;
      this.#sleepers.delete(next);
      this.#now = next.at;
      next.wake();
    }
    this.#now = until;
    await flush();
  }
}

export async function flush(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
}

export function makeCell(change: Partial<ReconcilerOptions> = {}) {
  const clock = new ManualClock();
  const bbs = new FakeBbs();
  const containers = new FakeContainers(undefined, () => clock.now());
  const make = (): Reconciler =>
    new Reconciler({
      ...{ cell: CELL, bbs, containers, clock, now: () => clock.now(), log: noLog, refused: () => undefined },
      convert: { lrp: () => anOrder(), task: () => anOrder() },
      ...{ polling_ms: 30_000, evacuation_polling_ms: 10_000, retry_ms: 5_000 },
      ...change,
    });
  return { clock, bbs, containers, make };
}
