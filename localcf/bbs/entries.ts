/** Lines of the journal: each an array of changes; a row is its protobuf in base64, so that every number survives. */
import { decode, encode, type MessageName } from '../../backend/wire/codec.js';
import { UnikError } from '../../core/errors.js';
import type { Messages } from '../../protos/generated.js';
import type { Lines } from '../journal.js';
import type { LockRow } from '../locket/table.js';
import type { Change, Lrp } from './model.js';

/** Locket's rows share the journal, without their heartbeats: after a restart each has its time to live anew. */
export type Entry = Change | { put: 'lock'; row: LockRow } | { drop: 'lock'; key: string };

const ROWS = {
  lrp: 'models.ActualLRP',
  desired: 'models.DesiredLRP',
  task: 'models.Task',
  lock: 'models.LockRequest',
} as const satisfies Record<string, MessageName>;

export const writeEntry = (entries: readonly Entry[]): string =>
  `${JSON.stringify(entries.map((entry) => (isRow(entry) ? { put: entry.put, row: pack(entry) } : entry)))}\n`;

type RowEntry = Extract<Entry, { row: unknown }>;

const isRow = (entry: Entry): entry is RowEntry => 'row' in entry;

const pack = (entry: RowEntry): string => encode(ROWS[entry.put], entry.row).toString('base64');

function unpack<K extends keyof typeof ROWS>(put: K, row: string): Messages[(typeof ROWS)[K]] {
  return decode(ROWS[put], Buffer.from(row, 'base64'));
}

export function readEntries(text: string, name: string): Entry[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .flatMap((line, at) => {
      try {
        return (JSON.parse(line) as (Entry | { put: keyof typeof ROWS; row: string })[]).map(readEntry);
      } catch (err) {
        throw new UnikError('internal', `${name} line ${at + 1} cannot be read`, { cause: err });
      }
    });
}

function readEntry(entry: Entry | { put: keyof typeof ROWS; row: string }): Entry {
  if (!('row' in entry) || typeof entry.row !== 'string') {
    // JSON has no Infinity: a domain that never expires was written as null.
    const forever = 'put' in entry && entry.put === 'domain' && (entry.expires_at as number | null) === null;
    return forever ? { ...entry, expires_at: Infinity } : (entry as Entry);
  }
  const { put, row } = entry;
  switch (put) {
    case 'lrp':
      return { put, row: unpack(put, row) as Lrp };
    case 'desired':
      return { put, row: unpack(put, row) };
    case 'task':
      return { put, row: unpack(put, row) };
    case 'lock':
      return { put, row: unpack(put, row) as LockRow };
  }
}

export const entryLines: Lines<Entry> = { write: writeEntry, read: readEntries };
