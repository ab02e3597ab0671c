/** Cells as Locket's presences tell them (bbs models/cell_presence.go; serviceclient). */
import { z } from 'zod';
import { jsonOf } from '../../core/json.js';
import type { CellPresence } from '../bbs/model.js';
import type { LockTable } from './table.js';

const presence = z.object({
  cell_id: z.string().min(1),
  rep_address: z.string().default(''),
  zone: z.string().default(''),
  capacity: z
    .object({ memory_mb: z.int().default(0), disk_mb: z.int().default(0), containers: z.int().default(0) })
    .prefault({}),
  rootfs_provider_list: z.array(z.object({ name: z.string(), properties: z.array(z.string()).nullish() })).nullish(),
  placement_tags: z.array(z.string()).nullish(),
  optional_placement_tags: z.array(z.string()).nullish(),
  rep_url: z.string().default(''),
  annotations: z.record(z.string(), z.string()).nullish(),
});

/** A value that is no presence is left out. The id is the JSON's, not the row's key. */
export function presencesOf(table: LockTable): Map<string, CellPresence> {
  const resources = table.fetchAll('PRESENCE');
  const cells = Array.isArray(resources) ? resources.flatMap(({ value }) => readPresence(value) ?? []) : [];
  return new Map(cells.map((cell) => [cell.cell_id, cell]));
}

const cache = new Map<string, CellPresence | undefined>();
const LARGEST_CACHE = 1_000;

/** Presences are read for every command and change rarely. */
function readPresence(value: string): CellPresence | undefined {
  if (cache.has(value)) return cache.get(value);
  if (cache.size >= LARGEST_CACHE) cache.clear();
  const cell = parse(value);
  cache.set(value, cell);
  return cell;
}

function parse(value: string): CellPresence | undefined {
  const found = presence.safeParse(jsonOf(value));
  if (!found.success) return undefined;
  const { rootfs_provider_list, placement_tags, optional_placement_tags, annotations, ...cell } = found.data;
  return {
    ...cell,
    rootfs_providers: (rootfs_provider_list ?? []).map(({ name, properties }) => ({
      name,
      properties: properties ?? [],
    })),
    placement_tags: placement_tags ?? [],
    optional_placement_tags: optional_placement_tags ?? [],
    annotations: annotations ?? {},
  };
}
