/** One job at a time, in the order in which they were asked for. What one throws is its own caller's alone. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Begins when those before it have ended, however they ended. */
  take<T>(job: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(job);
    this.#last = mine.catch(() => undefined);
    return mine;
  }

  /** Resolves when the jobs that were asked for until now have ended. */
  async idle(): Promise<void> {
    await this.#last;
  }
}
