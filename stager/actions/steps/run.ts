import { messageOf, UnikError } from '../../../core/errors.js';
import { goDuration } from '../../../core/go-format.js';
import type { ActionRuntime, RunAction } from '../model.js';
import { explain, whyOf } from '../lines.js';
import { CANCELLED, isOver, type Step } from '../step.js';

/** Runs a program; another status than 0 is its failure. */
export function runStep(action: RunAction, runtime: ActionRuntime, source: string): Step {
  const say = (text: string): void => {
    if (!action.suppress_log_output) runtime.log({ source, stream: 'out', text });
  };
  return async (signal) => {
    if (signal.aborted) return CANCELLED;
    try {
      const { status, out_of_memory, killed_after_ms, why } = await runtime.run(action, source, signal);
      const killed =
        killed_after_ms === undefined ? '' : ` (exceeded ${goDuration(killed_after_ms)} graceful shutdown interval)`;
      const memory = out_of_memory && status !== 0 ? ' (out of memory)' : '';
      say(`Exit status ${status}${killed}${memory}`);
      if (isOver(signal)) return CANCELLED;
      if (status === 0) return undefined;
      return { text: `${source}: Exited with status ${status}${memory}`, ...(why ? { why } : {}) };
    } catch (err) {
      if (isOver(signal)) return CANCELLED;
      say(`failed-creating-process: ${messageOf(err)}`);
      // What is not ours has no more to say.
      const words = err instanceof UnikError ? explain(err) : [];
      for (const text of words) runtime.log({ source, stream: 'err', text });
      return { text: messageOf(err), ...whyOf(err) };
    }
  };
}
