import type { Clock } from '../../../core/clock.js';
import { goDuration } from '../../../core/go-format.js';
import type { Step } from '../step.js';

/** A longer timer fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Calls its step off after `timeout_ms`, and waits until that has ended. */
export function timeoutStep(inner: Step, timeout_ms: number, clock: Clock): Step {
  return async (signal) => {
    const over = new AbortController();
    const done = new AbortController();
    const expiry = clock.sleep(Math.min(timeout_ms, MAX_TIMER_MS), done.signal).then(
      () => over.abort(new Error(`exceeded ${goDuration(timeout_ms)} timeout`)),
      () => undefined, // the step was faster
    );
    const end = await inner(AbortSignal.any([signal, over.signal]));
    done.abort();
    await expiry;
    if (!over.signal.aborted || signal.aborted) return end;
    const why = end?.text === undefined ? '' : `; ${end.text}`;
    return { ...end, text: `exceeded ${goDuration(timeout_ms)} timeout${why}` };
  };
}
