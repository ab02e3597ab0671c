/**
 * Work per key: at most one job runs for a key, at most one waits, and a newer job replaces the waiting one (its
 * promise then follows the newer job). Different keys run side by side. Diego's rep has the same sliding queue.
 */
export class KeyedQueue {
  readonly #slots = new Map<string, { running: Promise<void>; waiting?: Waiting }>();

  /** Queues `job` behind whatever runs for `key`. Resolves when it, or the job that replaced it, is done. */
  push(key: string, job: () => Promise<void>): Promise<void> {
    const slot = this.#slots.get(key);
    if (!slot) return this.#run(key, job);
    if (slot.waiting) {
      slot.waiting.job = job;
      return slot.waiting.done;
    }
    const waiting: Waiting = { job, done: Promise.resolve() };
    slot.waiting = waiting;
    waiting.done = slot.running.then(
      () => waiting.job(),
      () => waiting.job(),
    );
    this.#track(key, waiting.done);
    return waiting.done;
  }

  /** Resolves when nothing runs or waits any more. */
  async idle(): Promise<void> {
    while (this.#slots.size > 0) {
      await Promise.allSettled([...this.#slots.values()].map((slot) => slot.waiting?.done ?? slot.running));
    }
  }

  get size(): number {
    return this.#slots.size;
  }

  #run(key: string, job: () => Promise<void>): Promise<void> {
    const running = job();
    this.#slots.set(key, { running });
    this.#track(key, running);
    return running;
  }

  #track(key: string, promise: Promise<void>): void {
    const settle = (): void => {
      const slot = this.#slots.get(key);
      if (!slot) return;
      if (slot.waiting && slot.waiting.done !== promise) {
        slot.running = slot.waiting.done;
        delete slot.waiting;
      } else {
        this.#slots.delete(key);
      }
    };
    promise.then(settle, settle);
  }
}

interface Waiting {
  job: () => Promise<void>;
  done: Promise<void>;
}
