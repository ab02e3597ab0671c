import { joinFailures, type Step } from '../step.js';

/** All at once; waits for all, and tells every failure. */
export function parallelStep(steps: readonly Step[]): Step {
  return async (signal) => joinFailures(await Promise.all(steps.map((step) => step(signal))));
}
