/** A list that is only added to, and that a test can wait on. */
export class Journal<T> {
  readonly all: T[] = [];
  readonly #watchers = new Set<() => void>();

  add(one: T): void {
    this.all.push(one);
    for (const watcher of [...this.#watchers]) watcher();
  }

  filter(match: (one: T) => boolean): T[] {
    return this.all.filter(match);
  }

  /** The entries that match once there are `count` of them. Throws NotSeen after `ms`. */
  async wait(what: string, ms: number, match: (one: T) => boolean, count = 1): Promise<T[]> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#watchers.delete(look);
      };
      const look = (): void => {
        const found = this.filter(match);
        if (found.length < count) return;
        end();
        resolve(found);
      };
      const timer = setTimeout(() => {
        end();
        reject(new NotSeen(`${what}: ${this.filter(match).length} of ${count} seen within ${ms} ms`));
      }, ms);
      this.#watchers.add(look);
      look();
    });
  }
}

/** What a test waited for did not come. */
export class NotSeen extends Error {
  override readonly name = 'NotSeen';
}
