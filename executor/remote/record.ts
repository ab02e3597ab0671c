import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readJsonFile, writeJsonFile } from '../../core/json-file.js';
import type { Key, MachineHandle, Owner, PortMapping, ProviderName } from '../model.js';
import type { MachineExit } from '../providers/provider.js';
import type { Place } from './driver.js';

/** What we keep of one machine elsewhere; the provider keeps owner and key as well. Never a secret. */
export interface RemoteRecord {
  schema: 1;
  key: Key;
  owner: Owner;
  name: string;
  ports: PortMapping[];
  place?: Place;
  /** The provider's name for it, once it is known to exist. */
  id?: string;
  address?: string;
  exit?: MachineExit;
}

/** One folder for each machine: its record, and what its serial line said. */
export class RemoteRecords {
  constructor(private readonly dir: string) {}

  folder(key: Key): string {
    return join(this.dir, key);
  }

  async load(key: Key): Promise<RemoteRecord | undefined> {
    return (await readJsonFile(join(this.folder(key), 'record.json'))) as RemoteRecord | undefined;
  }

  save(record: RemoteRecord): Promise<void> {
    return writeJsonFile(join(this.folder(record.key), 'record.json'), record);
  }

  async all(): Promise<RemoteRecord[]> {
    const keys = await readdir(this.dir).catch(() => []);
    const records = await Promise.all(keys.map((key) => this.load(key)));
    return records.filter((record) => record !== undefined);
  }

  remove(key: Key): Promise<void> {
    return rm(this.folder(key), { recursive: true, force: true });
  }
}

export function handleOf(provider: ProviderName, record: RemoteRecord): MachineHandle {
  const { key, owner, ports, address, id = '' } = record;
  const base = { provider, key, owner, version: 1, ports, data: { id } };
  return address === undefined ? base : { ...base, address };
}
