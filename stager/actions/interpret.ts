import type { Action, ActionRuntime, Actions } from './model.js';
import type { Step } from './step.js';
import { codependentStep } from './steps/codependent.js';
import { downloadStep } from './steps/download.js';
import { emitProgressStep } from './steps/emit-progress.js';
import { parallelStep } from './steps/parallel.js';
import { runStep } from './steps/run.js';
import { serialStep } from './steps/serial.js';
import { timeoutStep } from './steps/timeout.js';
import { tryStep } from './steps/try.js';
import { uploadStep } from './steps/upload.js';

/**
 * The step for an action tree, as Diego's executor builds it (`depot/transformer`, `depot/steps`). `source` is the log
 * source where the action names none. The step never rejects, can be called off at any moment by its signal, and has
 * ended all it began when it resolves. An action without a member fails.
 */
export function interpret(action: Action | undefined, runtime: ActionRuntime, source: string): Step {
  const own = (part: { log_source: string }): string => part.log_source || source;
  const inner = (part: { action?: Action; log_source: string }): Step => interpret(part.action, runtime, own(part));
  const all = (part: Actions): Step[] => part.actions.map((child) => interpret(child, runtime, own(part)));

  if (action?.download_action) return downloadStep(action.download_action, runtime, own(action.download_action));
  if (action?.upload_action) return uploadStep(action.upload_action, runtime, own(action.upload_action));
  if (action?.run_action) return runStep(action.run_action, runtime, own(action.run_action));
  if (action?.timeout_action) {
    const { timeout_ms, deprecated_timeout_ns } = action.timeout_action;
    const ms = timeout_ms > 0 ? Number(timeout_ms) : Math.floor(Number(deprecated_timeout_ns) / 1_000_000);
    return timeoutStep(inner(action.timeout_action), ms, runtime.clock);
  }
  if (action?.emit_progress_action) {
    const part = action.emit_progress_action;
    return emitProgressStep(inner(part), part, runtime, own(part));
  }
  if (action?.try_action) return tryStep(inner(action.try_action));
  if (action?.parallel_action) return parallelStep(all(action.parallel_action));
  if (action?.serial_action) return serialStep(all(action.serial_action));
  if (action?.codependent_action) return codependentStep(all(action.codependent_action));
  return async () => ({ text: 'the action is empty or of a kind that is not known' });
}
