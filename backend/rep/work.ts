/** The document of POST /work (rep `resources.go` Work). Lists may be null; what else stands there is kept and ignored. */
import { z } from 'zod';
import type { Demand } from '../cell/model.js';

const names = z
  .array(z.string())
  .nullish()
  .transform((list) => list ?? []);
const amount = z.number().int().default(0);

const demand = {
  PlacementTags: names,
  VolumeDrivers: names,
  RootFs: z.string().default(''),
  MemoryMB: amount,
  DiskMB: amount,
  MaxPids: amount,
};
const lrp = z.object({ process_guid: z.string().min(1), index: amount, domain: z.string().default(''), ...demand });
const task = z.object({ TaskGuid: z.string().min(1), Domain: z.string().default(''), ...demand });

/** Parsed, beside the element as it came: what cannot be placed goes back as it was. */
const withRaw = <T extends z.ZodType>(schema: T) =>
  z
    .array(
      z.unknown().transform((raw, context) => {
        const result = schema.safeParse(raw);
        if (result.success) return { raw, item: result.data };
        for (const { path, message } of result.error.issues)
          context.issues.push({ code: 'custom', path, message, input: raw });
        return z.NEVER;
      }),
    )
    .nullish()
    .transform((list) => list ?? []);

export const workSchema = z.object({
  LRPs: withRaw(lrp),
  Tasks: withRaw(task),
  cell_id: z.string().default(''),
});
export type Work = z.output<typeof workSchema>;
export type WorkLrp = Work['LRPs'][number];
export type WorkTask = Work['Tasks'][number];

export function demandOf(item: z.output<typeof lrp> | z.output<typeof task>): Demand {
  return {
    memory_mb: item.MemoryMB,
    disk_mb: item.DiskMB,
    max_pids: item.MaxPids,
    rootfs: item.RootFs,
    placement_tags: item.PlacementTags,
    volume_drivers: item.VolumeDrivers,
  };
}
