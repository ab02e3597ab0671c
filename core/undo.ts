import type { Log } from './log.js';

/** Undo beside do: acquire, then push the release at once. `unwind` runs them backwards and reports, never throws. */
export class Undo {
  readonly #steps: { what: string; run: () => Promise<void> | void }[] = [];

  push(what: string, run: () => Promise<void> | void): void {
    this.#steps.push({ what, run });
  }

  async unwind(log: Log): Promise<void> {
    for (const step of this.#steps.splice(0).reverse()) {
      try {
        await step.run();
      } catch (err) {
        log.warn({ err, step: step.what }, 'undo.failed');
      }
    }
  }

  /** The work succeeded: nothing is to be undone. */
  forget(): void {
    this.#steps.length = 0;
  }
}
