import { watch } from 'node:fs';

/** Tells that a log file in a folder was written, with a slow tick in case the kernel's notice is lost. */
export class Changes {
  readonly #watcher;
  #dirty = true;
  #wake: (() => void) | undefined;

  constructor(folder: string) {
    this.#watcher = watch(folder, { persistent: false }, (_kind, name) => {
      // Disk images lie here too, and a busy guest writes them all the time.
      if (name === null || name.endsWith('.log')) this.wake();
    });
    this.#watcher.on('error', () => this.wake());
  }

  /** Resolves when something changed since the last call, at the latest after `ms`. */
  async next(ms: number, signal?: AbortSignal): Promise<void> {
    if (!this.#dirty) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        const done = (): void => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', done);
          resolve();
        };
        this.#wake = done;
        signal?.addEventListener('abort', done, { once: true });
      });
    }
    this.#dirty = false;
  }

  close(): void {
    this.#watcher.close();
    this.#wake?.();
  }

  /** Ends the present or the next wait. */
  wake(): void {
    this.#dirty = true;
    this.#wake?.();
  }
}
