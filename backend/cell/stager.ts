/** Staging on a real cell, as its configuration wants it. */
import { mkdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../core/clock.js';
import type { Log } from '../../core/log.js';
import { readIdentity } from '../../core/tls.js';
import type { KernelEntry } from '../../executor/kernels/kernel.js';
import type { Fetcher } from '../../stager/actions/fetch.js';
import { createUploader } from '../../stager/actions/upload.js';
import { Bubblewrap } from '../../stager/sandbox/bubblewrap.js';
import { rootTree } from '../../stager/sandbox/rootfs.js';
import type { SandboxNetwork } from '../../stager/sandbox/sandbox.js';
import { createStager, type Stager } from '../../stager/staging/stage.js';
import { Trees } from '../../stager/staging/trees.js';
import { placeEnv } from '../convert/env.js';
import type { CellConfig } from './config.js';

type StagingConfig = NonNullable<CellConfig['staging']>;

/** Files of one unpacked lifecycle or buildpack. */
const MAX_ENTRIES = 500_000;
/** Where this process finds bubblewrap and what else makes a sandbox. */
const HOST_PATH = '/usr/sbin:/usr/bin:/sbin:/bin';

export interface StagerParts {
  fetcher: Fetcher;
  /** Of this cell: what staging may make images for. */
  kernels: readonly Pick<KernelEntry, 'abi'>[];
  clock: Clock;
  log: Log;
}

/** The stager of a cell; `close` when all tasks have ended. */
export async function makeStager(
  {
    home,
    identities,
    network,
    external_address,
  }: Pick<CellConfig, 'home' | 'identities' | 'network' | 'external_address'>,
  staging: StagingConfig,
  { fetcher, kernels, clock, log }: StagerParts,
): Promise<{ stager: Stager; close: () => Promise<void> }> {
  const place = join(home, 'staging');
  await mkdir(place, { recursive: true, mode: 0o700 });
  const folder = await realpath(place);
  const sandbox = new Bubblewrap({
    ...{ folder: join(folder, 'sandboxes'), path: HOST_PATH, uid: process.getuid?.() ?? 0, log },
    ...{ accounts: staging.accounts, readable: staging.readable },
    ...(staging.rootfs === undefined ? {} : { rootfs: await rootTree(staging.rootfs, join(folder, 'rootfs')) }),
  });
  const uploader = createUploader({ tls: await readIdentity(identities.tls, 'tls'), clock, log });
  const trees = new Trees({
    ...{ folder: join(folder, 'trees'), max_bytes: staging.cache_mb * 2 ** 20, max_entries: MAX_ENTRIES },
    ...{ fetcher, clock, log },
  });
  const stager = createStager({
    ...{ folder, sandbox, trees, fetcher, uploader, clock, log },
    network: networkOf(staging, network.deny),
    env: {
      // The sandbox is no place of its own: nothing reaches it but by this cell, and no port leads to it.
      ...Object.fromEntries(placeEnv({ address: external_address, instance_address: external_address, ports: [] })),
      ...{ PATH: staging.path, LANG: 'C.UTF-8', UNIK_KERNELS: abisOf(kernels) },
      ...staging.env,
    },
    ...{ output_bytes: staging.output_mb * 2 ** 20, wall_ms: staging.timeout },
  });
  return { stager, close: () => uploader.close() };
}

const abisOf = (kernels: StagerParts['kernels']): string =>
  [...new Set(kernels.map(({ abi }) => abi))].sort().join(',');

function networkOf({ proxy, network, deny }: StagingConfig, always: readonly string[]): SandboxNetwork {
  if (proxy) return { kind: 'proxy', ...proxy };
  return network === 'off' ? { kind: 'off' } : { kind: 'filtered', deny: [...always, ...deny] };
}
