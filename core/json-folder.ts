import { chmod, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeJsonFile } from './json-file.js';
import type { Log } from './log.js';

/** Records of one kind: one file `NAME.json` each, mode 0600, replaced whole, in a folder of mode 0700. */
export interface JsonFolder<T> {
  /** Every readable record. A broken one is set aside as `NAME.json.broken` and logged. */
  load(): Promise<T[]>;
  save(name: string, record: T): Promise<void>;
  remove(name: string): Promise<void>;
}

/** `parse` throws for what is not the record called `name`. The names are the caller's to check. */
export function openJsonFolder<T>(dir: string, parse: (value: unknown, name: string) => T, log: Log): JsonFolder<T> {
  const path = (name: string): string => join(dir, `${name}.json`);
  return {
    async load() {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      await chmod(dir, 0o700);
      const records: T[] = [];
      for (const entry of await readdir(dir)) {
        const file = join(dir, entry);
        // A crash between writing and renaming leaves the temporary file; the record itself is whole.
        if (entry.endsWith('.tmp')) await rm(file, { force: true });
        if (!entry.endsWith('.json')) continue;
        try {
          records.push(parse(JSON.parse(await readFile(file, 'utf8')), entry.slice(0, -'.json'.length)));
        } catch (err) {
          log.error({ err, file }, 'record.broken');
          await rename(file, `${file}.broken`);
        }
      }
      return records;
    },
    save: (name, record) => writeJsonFile(path(name), record),
    remove: (name) => rm(path(name), { force: true }),
  };
}
