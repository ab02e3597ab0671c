import { UnikError } from '../../core/errors.js';
import { VERSION } from '../../core/version.js';
import { readyKernel } from '../../stager/kernel-image.js';
import { plan } from '../../stager/plan.js';
import { folderSource } from '../../stager/source.js';
import { TOOLCHAINS } from '../../stager/toolchains/index.js';
import { readSettings } from './settings.js';

/**
 * `detect BUILD`: yes to every application that says of which kind it is or what is to run, and to who asks for a guest by
 * name. What speaks against it is said at finalize; only where nothing is known of it may another buildpack have it.
 */
function detect(): void {
  const build = process.argv[2];
  if (build === undefined) throw new UnikError('usage', 'detect BUILD_DIR');
  const isAsked = readSettings(process.env).guest !== undefined;
  const source = folderSource(build);
  if (isAsked || source.kind('Procfile') === 'file' || readyKernel({ source: build }) !== undefined) return;
  plan(source, TOOLCHAINS);
}

try {
  detect();
  process.stdout.write(`unik ${VERSION}\n`);
} catch (err) {
  if (err instanceof UnikError && err.code !== 'language_unknown' && err.code !== 'usage') {
    process.stdout.write(`unik ${VERSION}\n`);
  } else {
    process.stderr.write(`unik: ${err instanceof Error ? err.message : String(err)}\n`);
    process.exitCode = 1;
  }
}
