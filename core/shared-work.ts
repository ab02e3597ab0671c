/**
 * Work that several ask for at once and that is done once. It is called off when the last who asked has gone.
 */
export class SharedWork<T> {
  readonly #jobs = new Map<string, { result: Promise<T>; users: number; enough: AbortController }>();

  async run(key: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    const job = this.#jobs.get(key) ?? this.#begin(key, work);
    job.users++;
    let leave: () => void = () => undefined;
    const left = new Promise<never>((_, reject) => {
      leave = (): void => reject(signal.reason as Error);
      signal.addEventListener('abort', leave, { once: true });
    });
    try {
      return await Promise.race([job.result, left]);
    } finally {
      signal.removeEventListener('abort', leave);
      if (--job.users === 0) {
        if (this.#jobs.get(key) === job) this.#jobs.delete(key);
        job.enough.abort(new Error('nobody waits for it any more'));
      }
    }
  }

  #begin(
    key: string,
    work: (signal: AbortSignal) => Promise<T>,
  ): { result: Promise<T>; users: number; enough: AbortController } {
    const enough = new AbortController();
    const job = { result: work(enough.signal), users: 0, enough };
    // Those who wait hear of a failure; one that nobody waits for is no surprise.
    job.result.catch(() => undefined);
    this.#jobs.set(key, job);
    return job;
  }
}
