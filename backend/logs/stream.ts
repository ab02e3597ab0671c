import type { Agent, Batches } from '../wire/loggregator.js';

/** Batches on their way at once: enough to keep the wire busy, few enough that nobody's line waits behind many. */
const IN_FLIGHT = 8;

/**
 * One call to the agent. Nothing is acknowledged while a call is open, so it is ended now
 * and then: the agent's answer to that says that all of it was read.
 */
export class Stream {
  readonly #batches: Batches;
  #inFlight = 0;
  #wake: (() => void) | undefined;
  #error: Error | undefined;
  #isFinishing = false;
  #hasEnded = false;

  constructor(
    agent: Agent,
    /** Epoch milliseconds. */
    readonly opened_at: number,
    private readonly stall_ms: number,
  ) {
    this.#batches = agent.open();
    void this.#batches.ended.then((error) => {
      this.#hasEnded = true;
      this.#error = error ?? (this.#isFinishing ? undefined : new Error('the agent ended the call'));
      this.#wake?.();
    });
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Settled when there is room for more. False: the call has ended, or made no progress for `stall_ms`. */
  async hasRoom(): Promise<boolean> {
    if (!this.#hasEnded && this.#inFlight >= IN_FLIGHT) await this.#change();
    return !this.#hasEnded && this.#inFlight < IN_FLIGHT;
  }

  write(bytes: Buffer): void {
    this.#inFlight++;
    this.#batches.write(bytes, () => {
      this.#inFlight--;
      this.#wake?.();
    });
  }

  /** Ends the call. Undefined: all that was sent has been read; otherwise why that is not known. */
  async finish(): Promise<Error | undefined> {
    this.#isFinishing = true;
    if (!this.#hasEnded) this.#batches.finish();
    while (!this.#hasEnded) {
      const inFlight = this.#inFlight;
      await this.#change();
      if (inFlight === this.#inFlight && !this.hasEnded) {
        this.cancel();
        return new Error(`no answer within ${this.stall_ms} ms`);
      }
    }
    return this.#error;
  }

  cancel(): void {
    this.#batches.cancel();
  }

  /** Settled when a batch was taken, the call ended, or after `stall_ms`. */
  #change(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.stall_ms);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
    });
  }
}
