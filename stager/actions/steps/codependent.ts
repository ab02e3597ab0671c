import { joinFailures, type Failure, type Step } from '../step.js';

const EXITED: Failure = { text: 'Codependent step exited' };

/** All at once; the first that ends, well or not, calls the others off. To end well is a failure too. */
export function codependentStep(steps: readonly Step[]): Step {
  return async (signal) => {
    const one = new AbortController();
    const any = AbortSignal.any([signal, one.signal]);
    const run = async (step: Step): Promise<Failure> => {
      const end = await step(any);
      // Those that end well only because they were called off did not end by themselves.
      const failure = end ?? (any.aborted ? {} : EXITED);
      one.abort(new Error('another codependent step has ended'));
      return failure;
    };
    return joinFailures(await Promise.all(steps.map(run)));
  };
}
