import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode, toUnikError } from '../core/errors.js';
import type { Log } from '../core/log.js';
import type { KernelCatalogue } from '../executor/kernels/catalogue.js';

/**
 * A new home has no kernel yet: those that the setup unpacked beside the program are taken into its catalogue. A
 * catalogue that has one is the operator's business, unless `also` says that these are wanted beside it. A failure is
 * told, for a daemon without a kernel still serves.
 */
export async function importShippedKernels(
  catalogue: KernelCatalogue,
  shipped: { from: string; init: string; also?: boolean },
  log: Log,
): Promise<void> {
  if (!shipped.also && (await catalogue.list()).length > 0) return;
  for (const name of await folders(shipped.from)) {
    try {
      await catalogue.importLinux(join(shipped.from, name), shipped.init);
    } catch (err) {
      log.warn({ dir: join(shipped.from, name), reason: toUnikError(err).message }, 'kernel.not-imported');
    }
  }
}

async function folders(dir: string): Promise<string[]> {
  try {
    return (await readdir(dir, { withFileTypes: true })).filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch (err) {
    if (hasCode(err, 'ENOENT')) return [];
    throw err;
  }
}
