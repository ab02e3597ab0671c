import { z } from 'zod';
import { openJsonFolder, type JsonFolder } from '../../../core/json-folder.js';
import type { Log } from '../../../core/log.js';
import type { InstanceSpec } from '../../../executor/model.js';
import { exitView, restartPolicy } from '../schema/instances.js';

/** What every start of an app boots; key, owner and log id are added then. */
export type Template = Omit<InstanceSpec, 'key' | 'owner' | 'log_id' | 'name'>;

const recordSchema = z.object({
  schema: z.literal(1),
  /** 32 hex digits; people see the first 12. */
  id: z.string().regex(/^[0-9a-f]{32}$/),
  name: z.string(),
  /** What the user called the image; the template holds its digest. */
  image_ref: z.string(),
  /** Written by `specFrom`; trusted, since only this program writes the folder. */
  template: z.custom<Template>((value) => typeof value === 'object' && value !== null),
  restart: restartPolicy,
  auto_remove: z.boolean(),
  created_at: z.number(),
  /** Key of the latest machine. */
  key: z.string().optional(),
  started_at: z.number().optional(),
  /** How the latest machine ended; absent while there is one. */
  exit: exitView.optional(),
  /** It should be up: set by a start, cleared by a stop and by a final exit. */
  wanted: z.boolean(),
  restarts: z.number(),
  quick: z.number(),
});
/** A unik instance as it stands on disk: the app that outlives its machines. */
export type App = z.infer<typeof recordSchema>;

export type AppRecords = JsonFolder<App>;

export function openAppRecords(dir: string, log: Log): AppRecords {
  return openJsonFolder(dir, (value) => recordSchema.parse(value), log);
}
