import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { hasCode, messageOf } from '../../../core/errors.js';
import { readJsonFile, writeJsonFile } from '../../../core/json-file.js';
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

/** One JSON file per app, mode 0600, replaced atomically: a crash leaves the old state or the new one. */
export class AppRecords {
  constructor(
    private readonly dir: string,
    private readonly log: Log,
  ) {}

  /** Those that can be read; a broken file is reported and left for a person to look at. */
  async load(): Promise<App[]> {
    const apps: App[] = [];
    for (const file of await names(this.dir)) {
      // A write that a crash cut short: the record itself is whole.
      if (file.endsWith('.tmp')) await rm(join(this.dir, file), { force: true });
      if (!file.endsWith('.json')) continue;
      try {
        apps.push(recordSchema.parse(await readJsonFile(join(this.dir, file))));
      } catch (err) {
        this.log.error({ file: join(this.dir, file), reason: messageOf(err) }, 'app.record-broken');
      }
    }
    return apps;
  }

  save(app: App): Promise<void> {
    return writeJsonFile(this.#path(app.id), app);
  }

  remove(id: string): Promise<void> {
    return rm(this.#path(id), { force: true });
  }

  #path(id: string): string {
    return join(this.dir, `${id}.json`);
  }
}

async function names(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (err) {
    if (hasCode(err, 'ENOENT')) return [];
    throw err;
  }
}
