/** Rows of BBS and Locket with what keeps them: read back from a folder, or in memory only. */
import type { Clock } from '../../core/clock.js';
import { LockTable, type TablePolicy } from '../locket/table.js';
import { noJournal, openJournal, recover, type Journal } from '../journal.js';
import { entryLines, type Entry } from './entries.js';
import { State } from './state.js';

export interface Store {
  state: State;
  table: LockTable;
  journal: Journal<Entry>;
}

export interface StoreOptions {
  /** Undefined: nothing is kept. */
  folder: string | undefined;
  clock: Clock;
  locket: TablePolicy;
  /** Bytes after which the journal is replaced by a snapshot. */
  rotate_bytes?: number | undefined;
}

export async function openStore({ folder, clock, locket, rotate_bytes }: StoreOptions): Promise<Store> {
  const state = new State();
  let journal: Journal<Entry> = noJournal;
  const table = new LockTable(
    () => clock.now(),
    (change) => journal.append([change]),
    locket,
  );
  if (folder !== undefined) {
    const { entries, generation } = await recover(folder, entryLines);
    for (const entry of entries) restore(entry, state, table);
    const all = function* (): Generator<Entry> {
      yield* state.rows();
      yield* table.rows();
    };
    journal = await openJournal(
      { folder, lines: entryLines, all, ...(rotate_bytes !== undefined && { rotate_bytes }) },
      generation,
    );
  }
  return { state, table, journal };
}

function restore(entry: Entry, state: State, table: LockTable): void {
  if ('put' in entry) {
    if (entry.put === 'lock') table.restore(entry);
    else state.apply(entry);
  } else if (entry.drop === 'lock') table.restore({ drop: 'lock', key: entry.key });
  else if (entry.drop === 'lrp') state.apply(entry);
  else state.apply({ drop: entry.drop, key: entry.key });
}
