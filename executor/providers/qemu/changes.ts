import { watch, type FSWatcher } from 'node:fs';

/** How often to look where the kernel cannot tell us: the folder is gone, or its watches are used up. */
const BLIND_TICK_MS = 500;

/** Tells that a log file in a folder was written, with a slow tick in case the kernel's notice is lost. */
export class Changes {
  #watcher: FSWatcher | undefined;
  #dirty = true;
  #wake: (() => void) | undefined;

  constructor(folder: string) {
    try {
      this.#watcher = watch(folder, { persistent: false }, (_kind, name) => {
        // Disk images lie here too, and a busy guest writes them all the time.
        if (name === null || name.endsWith('.log')) this.wake();
      });
      this.#watcher.on('error', () => {
        this.#blind();
      });
    } catch {
      this.#blind();
    }
  }

  /** Resolves when something changed since the last call, at the latest after `ms`. */
  async next(ms: number, signal?: AbortSignal): Promise<void> {
    if (!this.#dirty) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', done);
          resolve();
        };
        const timer = setTimeout(done, this.#watcher ? ms : Math.min(ms, BLIND_TICK_MS));
        this.#wake = done;
        signal?.addEventListener('abort', done, { once: true });
      });
    }
    this.#dirty = false;
  }

  close(): void {
    this.#watcher?.close();
    this.#wake?.();
  }

  /** Ends the present or the next wait. */
  wake(): void {
    this.#dirty = true;
    this.#wake?.();
  }

  #blind(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    this.wake();
  }
}
