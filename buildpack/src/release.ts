import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode, UnikError } from '../../core/errors.js';
import { RELEASE_FILE } from './release-file.js';
import { releaseYaml } from './launch.js';
import { runStep } from './output.js';

/** `release BUILD`: prints what finalize wrote down. */
await runStep(async () => {
  const build = process.argv[2];
  if (build === undefined) throw new UnikError('usage', 'release BUILD_DIR');
  const text = await readFile(join(build, RELEASE_FILE), 'utf8').catch((err: unknown) => {
    if (hasCode(err, 'ENOENT')) return releaseYaml({});
    throw err;
  });
  process.stdout.write(text);
});
