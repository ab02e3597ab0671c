import { mkdir, mkdtemp, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MachineSpec } from '../../executor/providers/provider.js';
import type { Pace } from '../../executor/remote/machine.js';
import { makeSpec, open, type Bench } from './qemu.js';

/** How often providers of machines elsewhere are asked in tests. */
export const PACE: Partial<Pace> = {
  ...{ state_ms: 300, serial_ms: 250, settle_ms: 3_000, power_off_ms: 5_000, appear_ms: 3_000, start_ms: 60_000 },
};

/** An empty home of a provider elsewhere. Disks are made once for all homes of a bench: each takes seconds. */
export async function remoteHome(bench: Bench): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'unik-there-'));
  const disks = join(bench.dir, 'disks');
  await mkdir(disks, { recursive: true });
  await symlink(disks, join(home, 'disks'));
  return home;
}

/** A machine whose network is its provider's. */
export const remoteSpec = (bench: Bench, kind: string, who: { key: string; owner: string }): MachineSpec =>
  makeSpec(bench, kind, who, { mode: 'provider', ...open });
