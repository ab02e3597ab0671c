import { chmod, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, UnikError } from '../core/errors.js';
import { writeJsonFile } from '../core/json-file.js';
import type { Log } from '../core/log.js';
import { PHASES, type Instance, type Key } from './model.js';

/** One JSON file per instance, mode 0600 because environments hold secrets. */
export interface Records {
  /** Every readable record. A broken one is set aside as `<key>.json.broken` and logged. */
  load(): Promise<Instance[]>;
  save(instance: Instance): Promise<void>;
  remove(key: Key): Promise<void>;
}

export function openRecords(dir: string, log: Log): Records {
  const path = (key: Key): string => join(dir, `${checkedName('key', key)}.json`);
  return {
    async load() {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      await chmod(dir, 0o700);
      const instances: Instance[] = [];
      for (const name of await readdir(dir)) {
        const file = join(dir, name);
        // A crash between writing and renaming leaves the temporary file.
        if (name.endsWith('.tmp')) await rm(file, { force: true });
        if (!name.endsWith('.json')) continue;
        try {
          instances.push(parse(await readFile(file, 'utf8'), name.slice(0, -'.json'.length)));
        } catch (err) {
          log.error({ err, file }, 'record.broken');
          await rename(file, `${file}.broken`);
        }
      }
      return instances;
    },
    save: (instance) => writeJsonFile(path(instance.spec.key), instance),
    remove: (key) => rm(path(key), { force: true }),
  };
}

/** Names that become file names: letters, digits, `.`, `_`, `-`, not starting with a dot. Else `bad_request`. */
export function checkedName(what: string, name: string): string {
  if (/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/.test(name)) return name;
  throw new UnikError('bad_request', `${what} ${JSON.stringify(name)} may hold letters, digits, "-", "_" and "." only`);
}

function parse(text: string, key: Key): Instance {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (err) {
    throw new UnikError('internal', `not JSON: ${messageOf(err)}`, { cause: err });
  }
  const found = value as Partial<Instance> | null;
  if (found?.schema !== 1 || found.spec?.key !== key || !found.phase || !PHASES.includes(found.phase)) {
    throw new UnikError('internal', `not a record of instance ${key}`);
  }
  return found as Instance;
}
