import { messageOf, UnikError } from '../../../core/errors.js';
import { downloaded, downloadFailed, downloading, explain, whyOf } from '../lines.js';
import type { ActionRuntime, DownloadAction } from '../model.js';
import { CANCELLED, isOver, type Step } from '../step.js';

/** Brings a file in. Without an artifact's name nothing is logged. */
export function downloadStep(action: DownloadAction, runtime: ActionRuntime, source: string): Step {
  const { artifact } = action;
  const say = (text: string, stream: 'out' | 'err' = 'out'): void => {
    if (artifact !== '') runtime.log({ source, stream, text });
  };
  return async (signal) => {
    if (signal.aborted) return CANCELLED;
    say(downloading(artifact));
    try {
      const bytes = await runtime.download(action, signal);
      say(downloaded(artifact, bytes));
      return undefined;
    } catch (err) {
      if (isOver(signal)) return CANCELLED;
      const came = !(err instanceof UnikError && err.code === 'download_failed');
      for (const line of explain(err)) say(line, 'err');
      const name = artifact || 'the download';
      const text = came ? `Copying ${name} into the container failed: ${messageOf(err)}` : downloadFailed(name);
      return { text, ...whyOf(err) };
    }
  };
}
