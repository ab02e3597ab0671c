import { messageOf } from '../../../core/errors.js';
import type { Outcome } from '../model.js';

/** Why a container cannot be started: `message` in Diego's words, for the BBS; `detail` for the application's log. */
export class StartFailure extends Error {
  override readonly name = 'StartFailure';
  constructor(
    readonly outcome: Outcome,
    cause: unknown,
  ) {
    super(outcome.reason, { cause });
  }

  /** What the reason does not say already; empty when it says all. */
  get detail(): string {
    const why = messageOf(this.cause);
    return this.message.includes(why) ? '' : why;
  }
}
