import { UnikError } from '../core/errors.js';
import { openJsonFolder } from '../core/json-folder.js';
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
  const folder = openJsonFolder(dir, parse, log);
  const name = (key: Key): string => checkedName('key', key);
  return {
    load: () => folder.load(),
    save: (instance) => folder.save(name(instance.spec.key), instance),
    remove: (key) => folder.remove(name(key)),
  };
}

/** Names that become file names: letters, digits, `.`, `_`, `-`, not starting with a dot. Else `bad_request`. */
export function checkedName(what: string, name: string): string {
  if (/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/.test(name)) return name;
  throw new UnikError('bad_request', `${what} ${JSON.stringify(name)} may hold letters, digits, "-", "_" and "." only`);
}

function parse(value: unknown, key: Key): Instance {
  const found = value as Partial<Instance> | null;
  if (found?.schema !== 1 || found.spec?.key !== key || !found.phase || !PHASES.includes(found.phase)) {
    throw new UnikError('internal', `not a record of instance ${key}`);
  }
  return found as Instance;
}
