import { explain, whyOf, uploaded, uploadFailed, uploading } from '../lines.js';
import type { ActionRuntime, UploadAction } from '../model.js';
import { CANCELLED, isOver, type Step } from '../step.js';

/** Takes a file out. Without an artifact's name nothing is logged. */
export function uploadStep(action: UploadAction, runtime: ActionRuntime, source: string): Step {
  const { artifact } = action;
  const say = (text: string, stream: 'out' | 'err' = 'out'): void => {
    if (artifact !== '') runtime.log({ source, stream, text });
  };
  return async (signal) => {
    if (signal.aborted) return CANCELLED;
    say(uploading(artifact));
    try {
      const bytes = await runtime.upload(action, signal);
      say(uploaded(artifact, bytes));
      return undefined;
    } catch (err) {
      if (isOver(signal)) return CANCELLED;
      for (const text of explain(err)) runtime.log({ source, stream: 'err', text });
      return { text: uploadFailed(artifact || 'the upload'), ...whyOf(err) };
    }
  };
}
