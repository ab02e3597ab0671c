import { z } from 'zod';
import { UnikError } from '../../../core/errors.js';
import type { OpenStackConfig } from './config.js';
import type { Session } from './session.js';

const flavorSchema = z.object({
  ...{ id: z.string(), name: z.string(), ram: z.number(), vcpus: z.number(), disk: z.number() },
  'OS-FLV-DISABLED:disabled': z.boolean().optional(),
});
export type Flavor = z.output<typeof flavorSchema>;

export async function listFlavors(session: Session, signal?: AbortSignal): Promise<Flavor[]> {
  const order = { service: 'compute', method: 'GET', path: '/flavors/detail', signal } as const;
  const { flavors } = await session.ask(order, z.object({ flavors: z.array(flavorSchema) }));
  return flavors.filter((flavor) => flavor['OS-FLV-DISABLED:disabled'] !== true);
}

/** Those that may be taken, the smallest first. Pure. */
export function usable(flavors: readonly Flavor[], { flavors: named }: Pick<OpenStackConfig, 'flavors'>): Flavor[] {
  return (
    flavors
      // A flavor without a disk of its own is for those who boot from volumes, unless somebody says otherwise.
      .filter(({ id, name, disk }) => (named ? named.includes(id) || named.includes(name) : disk > 0))
      .sort((a, b) => a.ram - b.ram || a.vcpus - b.vcpus || a.disk - b.disk)
  );
}

/** Throws insufficient_memory, or insufficient_disk, naming the largest there is. Pure. */
export function flavorFor(flavors: readonly Flavor[], need: { ram_mb: number; cpus: number; disk_gb: number }): Flavor {
  const large = flavors.filter(({ ram, vcpus }) => ram >= need.ram_mb && vcpus >= need.cpus);
  const found = large.find(({ disk }) => disk === 0 || disk >= need.disk_gb);
  if (found) return found;
  const most = (of: (flavor: Flavor) => number): number => Math.max(0, ...flavors.map(of));
  if (large.length > 0) {
    throw new UnikError(
      'insufficient_disk',
      `no flavor with a disk of ${need.disk_gb} GB; the largest has ${most(({ disk }) => disk)}`,
    );
  }
  throw new UnikError(
    'insufficient_memory',
    `no flavor with ${need.ram_mb} MB and ${need.cpus} processors; the largest has ${most(({ ram }) => ram)} MB, ${most(({ vcpus }) => vcpus)} processors`,
  );
}
