import { UnikError } from '../../../core/errors.js';
import type { VSphereConfig } from './config.js';
import { pathsOf } from './probe.js';
import { morefOf, type Moref, type Vim } from './vim.js';

/** Where machines go. */
export interface Ground {
  datacenter: Moref;
  folder: Moref;
  pool: Moref;
  network: Moref;
  /** Of the datastore. */
  browser: Moref;
}

/** Throws provider_unavailable naming what is not there. */
export async function lookAround(vim: Vim, config: VSphereConfig): Promise<Ground> {
  const paths = pathsOf(config);
  const get = async (path: string): Promise<Moref> => {
    const found = await vim.lookUp(path);
    if (found) return found;
    throw new UnikError('provider_unavailable', `vSphere has no ${path} in its inventory`);
  };
  const datacenter = await get(paths.datacenter);
  const [facts] = await vim.properties([datacenter], 'Datacenter', ['vmFolder']);
  const folder = morefOf(facts?.props['vmFolder']);
  const [store] = await vim.properties([await get(paths.datastore)], 'Datastore', ['browser']);
  const browser = morefOf(store?.props['browser']);
  return { datacenter, folder, browser, pool: await get(paths.resource_pool), network: await get(paths.network) };
}
