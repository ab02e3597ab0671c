import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UnikError } from '../../core/errors.js';
import { VERSION } from '../../core/version.js';
import { chooseGuest } from '../../stager/suitability/guest.js';
import { configYaml } from './launch.js';
import { runStep } from './output.js';
import { readSettings } from './settings.js';

/** `supply BUILD CACHE DEPS IDX`: nothing to give to others; what is asked of us is checked before anybody works. */
await runStep(async () => {
  const [, , , , deps, index] = process.argv;
  if (deps === undefined || index === undefined)
    throw new UnikError('usage', 'supply BUILD_DIR CACHE_DIR DEPS_DIR INDEX');
  const { guest, kernels } = readSettings(process.env);
  chooseGuest(guest, kernels);
  await mkdir(join(deps, index), { recursive: true });
  await writeFile(join(deps, index, 'config.yml'), configYaml(VERSION));
});
