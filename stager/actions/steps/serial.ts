import { CANCELLED, type Step } from '../step.js';

/** One after the other, up to the first failure. */
export function serialStep(steps: readonly Step[]): Step {
  return async (signal) => {
    for (const step of steps) {
      if (signal.aborted) return CANCELLED;
      const failure = await step(signal);
      if (failure) return failure;
    }
    return undefined;
  };
}
