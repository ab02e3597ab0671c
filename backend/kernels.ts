import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode, toUnikError } from '../core/errors.js';
import type { Log } from '../core/log.js';
import type { KernelCatalogue } from '../executor/kernels/catalogue.js';
import type { Arch, ProviderName } from '../executor/model.js';
import { ASSETS } from './assets.js';

/** What the setup puts into the assets, by processor: a folder of unpacked kernels, and our init. */
const SHIPPED: Record<Arch, { kernels: string; init: string }> = {
  x86_64: { kernels: 'kernel', init: 'guest/init' },
  aarch64: { kernels: 'kernel-arm64', init: 'guest/init-arm64' },
};

/** Our init for a processor. */
export function shippedInit(arch: Arch): string {
  return join(ASSETS, SHIPPED[arch].init);
}

/**
 * A new home has no kernel yet: those that the setup unpacked beside the program are taken into its catalogue. A
 * catalogue that has one is the operator's business, unless `also` says that these are wanted beside it. A failure is
 * told, for a daemon without a kernel still serves.
 */
export async function importShippedKernels(
  catalogue: KernelCatalogue,
  shipped: { assets: string; providers: readonly ProviderName[]; also?: boolean },
  log: Log,
): Promise<void> {
  const known = await catalogue.list();
  const arches: Arch[] = [];
  if (shipped.providers.some((name) => name !== 'arm')) arches.push('x86_64');
  if (shipped.providers.includes('arm')) arches.push('aarch64');
  for (const arch of arches) {
    if (!shipped.also && known.some((kernel) => kernel.arch === arch)) continue;
    const { kernels, init } = SHIPPED[arch];
    for (const name of await folders(join(shipped.assets, kernels))) {
      try {
        await catalogue.importLinux(join(shipped.assets, kernels, name), join(shipped.assets, init));
      } catch (err) {
        log.warn({ dir: join(shipped.assets, kernels, name), reason: toUnikError(err).message }, 'kernel.not-imported');
      }
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
