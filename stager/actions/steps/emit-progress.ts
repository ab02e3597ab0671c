import type { ActionRuntime, EmitProgressAction } from '../model.js';
import type { Step } from '../step.js';

/** Tells the user how its step goes. What was called off is told without a reason. */
export function emitProgressStep(
  inner: Step,
  action: EmitProgressAction,
  runtime: ActionRuntime,
  source: string,
): Step {
  const say = (stream: 'out' | 'err', text: string): void => {
    if (text !== '') runtime.log({ source, stream, text });
  };
  return async (signal) => {
    say('out', action.start_message);
    const end = await inner(signal);
    const { success_message, failure_message_prefix: prefix } = action;
    if (!end) say('out', success_message);
    else if (prefix !== '') say('err', end.text === undefined ? prefix : `${prefix}: ${end.text}`);
    return end;
  };
}
