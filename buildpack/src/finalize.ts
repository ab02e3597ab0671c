import { UnikError } from '../../core/errors.js';
import { finalizeApp } from './finalize-app.js';
import { runStep } from './output.js';
import { readSettings } from './settings.js';

/** `finalize BUILD CACHE DEPS IDX [PROFILE_D]`. */
await runStep(async (say) => {
  const [, , build, cache, deps, index] = process.argv;
  if (build === undefined || cache === undefined || deps === undefined || index === undefined) {
    throw new UnikError('usage', 'finalize BUILD_DIR CACHE_DIR DEPS_DIR INDEX [PROFILE_DIR]');
  }
  const cancel = new AbortController();
  process.once('SIGTERM', () => cancel.abort(new UnikError('timeout', 'staging was cancelled')));
  await finalizeApp({ build, cache, deps, index }, readSettings(process.env), say, cancel.signal);
});
