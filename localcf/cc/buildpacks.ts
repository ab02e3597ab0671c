/** The order of buildpacks: positions are 1, 2, 3... without gaps. */
import type { Buildpack } from './model.js';
import type { Store, Tx } from './store.js';

/** To this position, or to the end when it is beyond; the others make room. */
export function moveBuildpack(tx: Tx, store: Store, row: Buildpack, position: number): Buildpack {
  const others = inOrder(store).filter(({ guid }) => guid !== row.guid);
  others.splice(Math.max(1, position) - 1, 0, row);
  return number(tx, others).find(({ guid }) => guid === row.guid) ?? row;
}

export function removeBuildpack(tx: Tx, store: Store, guid: string): void {
  tx.remove('buildpack', guid);
  number(tx, inOrder(store));
}

const inOrder = (store: Store): Buildpack[] => store.buildpack.all().sort((a, b) => a.position - b.position);

const number = (tx: Tx, rows: readonly Buildpack[]): Buildpack[] =>
  rows.map((row, at) => (row.position === at + 1 ? row : tx.update('buildpack', row.guid, { position: at + 1 })));
