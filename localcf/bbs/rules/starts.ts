/** What the auctioneer is asked to place. */
import type { LrpStart, TaskStart } from '../../auction/model.js';
import type { DesiredLrp, TaskDefinition } from '../model.js';

/** `fresh`: from a desire, whose volume drivers are a list even when there are none (else null). */
export function lrpStart(desired: DesiredLrp, indices: number[], { fresh = false } = {}): LrpStart {
  const { process_guid, domain, placement_tags, root_fs, memory_mb, disk_mb, max_pids } = desired;
  return {
    ...{ process_guid, domain, indices },
    PlacementTags: orNull(placement_tags),
    VolumeDrivers: fresh ? volumeDrivers(desired) : orNull(volumeDrivers(desired)),
    ...{ RootFs: root_fs, MemoryMB: memory_mb, DiskMB: disk_mb, MaxPids: max_pids },
  };
}

export function taskStart(task_guid: string, domain: string, definition: TaskDefinition): TaskStart {
  const { placement_tags, root_fs, memory_mb, disk_mb, max_pids } = definition;
  return {
    ...{ TaskGuid: task_guid, Domain: domain },
    PlacementTags: orNull(placement_tags),
    VolumeDrivers: orNull(volumeDrivers(definition)),
    ...{ RootFs: root_fs, MemoryMB: memory_mb, DiskMB: disk_mb, MaxPids: max_pids },
    ...{ state: 'Invalid', failed: false },
  };
}

export const volumeDrivers = ({ volume_mounts }: Pick<DesiredLrp, 'volume_mounts'>): string[] => [
  ...new Set(volume_mounts.map(({ driver }) => driver)),
];

const orNull = (list: string[]): string[] | null => (list.length > 0 ? list : null);
