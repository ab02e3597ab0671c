import { CANCELLED, type Step } from '../step.js';

/** Never fails, unless it is called off. */
export function tryStep(inner: Step): Step {
  return async (signal) => {
    await inner(signal);
    return signal.aborted ? CANCELLED : undefined;
  };
}
