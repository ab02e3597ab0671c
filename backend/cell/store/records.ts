import { chmod, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { UnikError } from '../../../core/errors.js';
import { readJsonFile, writeJsonFile } from '../../../core/json-file.js';
import type { Log } from '../../../core/log.js';
import type { ContainerRecord } from './state.js';

const SUFFIX = '.json';

/** One JSON file per container, mode 0600 because orders hold secrets. */
export class ContainerRecords {
  constructor(
    private readonly dir: string,
    private readonly log: Log,
  ) {}

  /** Oldest first. A broken one is set aside as `<guid>.json.broken` and logged. */
  async load(): Promise<ContainerRecord[]> {
    await mkdir(this.dir, { recursive: true, mode: 0o700 });
    await chmod(this.dir, 0o700);
    const records: ContainerRecord[] = [];
    for (const name of await readdir(this.dir)) {
      const file = join(this.dir, name);
      // A crash between writing and renaming leaves the temporary file.
      if (name.endsWith('.tmp')) await rm(file, { force: true });
      if (!name.endsWith(SUFFIX)) continue;
      try {
        records.push(checked(await readJsonFile(file), name.slice(0, -SUFFIX.length)));
      } catch (err) {
        this.log.error({ err, file }, 'container.record-broken');
        await rename(file, `${file}.broken`);
      }
    }
    return records.sort((a, b) => a.reserved_at - b.reserved_at);
  }

  save(record: ContainerRecord): Promise<void> {
    return writeJsonFile(this.#path(record.reservation.guid), record);
  }

  remove(guid: string): Promise<void> {
    return rm(this.#path(guid), { force: true });
  }

  #path(guid: string): string {
    return join(this.dir, `${guid}${SUFFIX}`);
  }
}

function checked(value: unknown, guid: string): ContainerRecord {
  const found = value as Partial<ContainerRecord> | null | undefined;
  if (found?.schema === 1 && found.reservation?.guid === guid && typeof found.reserved_at === 'number') {
    return found as ContainerRecord;
  }
  throw new UnikError('internal', `not a record of container ${guid}`);
}
