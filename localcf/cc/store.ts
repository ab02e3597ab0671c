/**
 * The Cloud Controller's tables: in memory, every change in a journal, so that `kill -9` loses nothing that was
 * answered. Rows are never changed in place: an update makes another.
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../core/clock.js';
import { UnikError } from '../../core/errors.js';
import { noJournal, openJournal, recover, type Journal, type Lines } from '../journal.js';
import type { Base, TableName, Tables } from './model.js';

/** One change; of a dropped row only the guid is told. */
export type Change = { [N in TableName]: { put: N; row: Tables[N] } }[TableName] | { drop: TableName; guid: string };

/** What an insert must give: the store adds guid (unless given), order and times. */
export type Fresh<N extends TableName> = Omit<Tables[N], keyof Base> & { guid?: string };

/** Changes that are kept all together or not at all. Reads see what was changed before in it. */
export interface Tx {
  insert<N extends TableName>(table: N, row: Fresh<N>): Tables[N];
  /** Fails when there is no such row. */
  update<N extends TableName>(table: N, guid: string, patch: Partial<Omit<Tables[N], 'guid' | 'seq'>>): Tables[N];
  /** Of a row that is not there: nothing. */
  remove(table: TableName, guid: string): void;
}

/** A table, to read. Rows come in the order of their making. */
export interface Table<R> {
  get(guid: string): R | undefined;
  all(): R[];
  filter(fits: (row: R) => boolean): R[];
  find(fits: (row: R) => boolean): R | undefined;
  readonly size: number;
}

const TABLES = Object.keys({
  ...{ org: 0, space: 0, quota: 0, role: 0, user: 0, revocation: 0, stack: 0, buildpack: 0, app: 0, process: 0 },
  ...{
    sidecar: 0,
    package: 0,
    build: 0,
    droplet: 0,
    build_cache: 0,
    domain: 0,
    route: 0,
    destination: 0,
    job: 0,
    task: 0,
  },
  ...{ deployment: 0, revision: 0, service_instance: 0, service_binding: 0, audit_event: 0, usage_event: 0 },
  ...{ feature_flag: 0, env_group: 0, security_group: 0, isolation_segment: 0 },
} satisfies Record<TableName, 0>) as TableName[];

export type Store = { readonly [N in TableName]: Table<Tables[N]> } & {
  /** Runs `work` at once; when it throws, nothing of it is kept. */
  change<T>(work: (tx: Tx) => T): T;
  /** Resolves when all changes so far are on disk. Replies wait for it (http.ts does). */
  settled(): Promise<void>;
  /** Told after each change, with all of it; errors are the listener's own. Returns what ends it. */
  watch(listener: (changes: readonly Change[]) => void): () => void;
  close(): Promise<void>;
};

export interface StoreOptions {
  /** Undefined: nothing is kept. */
  folder: string | undefined;
  clock: Clock;
  /** Bytes after which the journal is replaced by a snapshot. */
  rotate_bytes?: number;
}

export async function openStore({ folder, clock, rotate_bytes }: StoreOptions): Promise<Store> {
  const rows = new Map(TABLES.map((name) => [name, new Map<string, Base>()]));
  const of = (name: TableName): Map<string, Base> => rows.get(name) as Map<string, Base>;
  const listeners = new Set<(changes: readonly Change[]) => void>();
  let seq = 0;
  let journal: Journal<Change> = noJournal;

  const apply = (change: Change): void => {
    if ('put' in change) {
      of(change.put).set(change.row.guid, change.row);
      seq = Math.max(seq, change.row.seq);
    } else of(change.drop).delete(change.guid);
  };
  if (folder !== undefined) {
    const { entries, generation } = await recover(folder, lines);
    entries.forEach(apply);
    const all = function* (): Generator<Change> {
      for (const name of TABLES) for (const row of of(name).values()) yield { put: name, row } as Change;
    };
    journal = await openJournal(
      { folder, lines, all, ...(rotate_bytes !== undefined && { rotate_bytes }) },
      generation,
    );
  }

  const now = (): string => timeOf(clock.now());

  function change<T>(work: (tx: Tx) => T): T {
    const done: Change[] = [];
    const undo: Change[] = [];
    const perform = (one: Change): void => {
      const [table, guid] = 'put' in one ? [one.put, one.row.guid] : [one.drop, one.guid];
      const before = of(table).get(guid);
      undo.push(before ? ({ put: table, row: before } as Change) : { drop: table, guid });
      done.push(one);
      apply(one);
    };
    const tx: Tx = {
      insert(table, row) {
        const time = now();
        const made = { ...row, guid: row.guid ?? randomUUID(), seq: seq + 1, created_at: time, updated_at: time };
        if (of(table).has(made.guid)) throw new UnikError('internal', `there is a ${table} ${made.guid} already`);
        perform({ put: table, row: made } as unknown as Change);
        return made as unknown as Tables[typeof table];
      },
      update(table, guid, patch) {
        const before = of(table).get(guid);
        if (!before) throw new UnikError('internal', `there is no ${table} ${guid} to change`);
        const row = { ...before, updated_at: now(), ...patch };
        perform({ put: table, row } as unknown as Change);
        return row as unknown as Tables[typeof table];
      },
      remove(table, guid) {
        if (of(table).has(guid)) perform({ drop: table, guid });
      },
    };
    let result: T;
    try {
      result = work(tx);
    } catch (err) {
      for (const one of undo.reverse()) apply(one);
      throw err;
    }
    journal.append(done);
    if (done.length > 0) for (const listener of listeners) listener(done);
    return result;
  }

  const reader = (name: TableName): Table<Base> => ({
    get: (guid) => of(name).get(guid),
    all: () => inOrder([...of(name).values()]),
    filter: (fits) => inOrder([...of(name).values()].filter(fits)),
    find: (fits) => inOrder([...of(name).values()].filter(fits))[0],
    get size() {
      return of(name).size;
    },
  });

  return {
    ...(Object.fromEntries(TABLES.map((name) => [name, reader(name)])) as object as {
      [N in TableName]: Table<Tables[N]>;
    }),
    change,
    settled: () => journal.settled(),
    watch(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      await journal.settled();
      await journal.close();
    },
  };
}

/** RFC 3339 in UTC to the second, as CC writes times. */
export const timeOf = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;

/** An update moves no row, but a snapshot or an undo may: the order is that of the making. */
const inOrder = <R extends Base>(rows: R[]): R[] => rows.sort((a, b) => a.seq - b.seq);

const lines: Lines<Change> = {
  write: (changes) => `${JSON.stringify(changes)}\n`,
  read: (text, name) =>
    text
      .split('\n')
      .filter((line) => line !== '')
      .flatMap((line, at) => {
        try {
          return JSON.parse(line) as Change[];
        } catch (err) {
          throw new UnikError('internal', `${name} line ${at + 1} cannot be read`, { cause: err });
        }
      }),
};
