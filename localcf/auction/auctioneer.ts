/**
 * Auctions in rounds: what has come in is placed by the cells' states as they are now, then given to them. A round
 * waits for slow cells only for a while; a cell whose `/work` is still open takes no part in the next.
 */
import type { Clock } from '../../core/clock.js';
import type { Log } from '../../core/log.js';
import type { CellPresence } from '../bbs/model.js';
import type { CellClient } from './cell-client.js';
import type { CellState, LrpStart, TaskStart } from './model.js';
import { asWork, items, place, type AuctionPolicy, type Item } from './place.js';

export interface AuctioneerParts {
  cells: () => ReadonlyMap<string, CellPresence>;
  client: Pick<CellClient, 'state' | 'work'>;
  /** Found no place: told to the BBS. */
  failed: (item: Item, error: string, trace: string) => Promise<void>;
  policy: AuctionPolicy;
  clock: Clock;
  log: Log;
  /** How long a round waits for cells that do not answer, once others have. */
  patience_ms: number;
}

export interface Auctioneer {
  auction(lrps: readonly LrpStart[], tasks: readonly TaskStart[], trace: string): void;
  /** Ends what is under way and takes nothing more. */
  close(): Promise<void>;
}

/** Rounds of asking for states when no cell answers (auction FetchStateAndBuildZones). */
const STATE_ROUNDS = 4;

interface Queued {
  item: Item;
  trace: string;
}

export function createAuctioneer(parts: AuctioneerParts): Auctioneer {
  const { cells, client, failed, policy, clock, log, patience_ms } = parts;
  const stop = new AbortController();
  const busy = new Set<string>();
  let queue: Queued[] = [];
  let round: Promise<void> | undefined;

  async function rounds(): Promise<void> {
    while (queue.length > 0 && !stop.signal.aborted) {
      const taken = queue;
      queue = [];
      await one(taken).catch((err: unknown) => log.error({ err }, 'auction.failed'));
    }
    round = undefined;
  }

  async function one(taken: Queued[]): Promise<void> {
    const traces = new Map(taken.map(({ item, trace }) => [item, trace]));
    const known = cells();
    const states = await statesOf(known);
    const { work, failed: lost } = place([...traces.keys()], states, policy);
    await Promise.all(lost.map(({ item, error }) => failed(item, error, traces.get(item) ?? '')));
    const given = [...work].map(([cell_id, chosen]) => commit(known.get(cell_id), chosen, traces));
    await Promise.race([Promise.all(given), clock.sleep(patience_ms, stop.signal)]).catch(ignoreAbort);
  }

  async function statesOf(known: ReadonlyMap<string, CellPresence>): Promise<CellState[]> {
    for (let at = 0; at < STATE_ROUNDS; at++) {
      const free = [...known.values()].filter(({ cell_id }) => !busy.has(cell_id));
      const states = await gather(free);
      if (states.length > 0 || free.length === 0 || stop.signal.aborted) return states;
    }
    return [];
  }

  /** All answers, or those that came within the patience, if any did. */
  async function gather(asked: CellPresence[]): Promise<CellState[]> {
    const found: CellState[] = [];
    let first: () => void = () => undefined;
    const some = new Promise<void>((resolve) => (first = resolve));
    const all = Promise.all(
      asked.map(async (cell) => {
        try {
          const state = await client.state(cell, stop.signal);
          if (policy.checksCellId && state.cell_id !== cell.cell_id) {
            log.warn({ cell_id: cell.cell_id, told: state.cell_id }, 'auction.cell-id-mismatch');
            return;
          }
          found.push(state);
          first();
        } catch (err) {
          log.warn({ err, cell_id: cell.cell_id }, 'auction.no-state');
        }
      }),
    );
    const patience = some.then(() => clock.sleep(patience_ms, stop.signal)).catch(ignoreAbort);
    await Promise.race([all, patience]);
    return [...found];
  }

  async function commit(cell: CellPresence | undefined, chosen: Item[], traces: Map<Item, string>): Promise<void> {
    if (!cell) return;
    const { cell_id } = cell;
    busy.add(cell_id);
    try {
      const trace = traces.get(chosen[0] as Item) ?? '';
      const refused = await client.work(cell, asWork(cell_id, chosen), trace, stop.signal);
      const count = (refused.LRPs?.length ?? 0) + (refused.Tasks?.length ?? 0);
      // Diego tells no reason here, so the BBS refuses to hear it: these wait for convergence.
      if (count > 0) log.info({ cell_id, count }, 'auction.work-refused');
    } catch (err) {
      log.warn({ err, cell_id }, 'auction.work-failed');
    } finally {
      busy.delete(cell_id);
    }
  }

  return {
    auction(lrps, tasks, trace) {
      queue.push(...items(lrps, tasks).map((item) => ({ item, trace })));
      round ??= rounds();
    },
    async close() {
      stop.abort();
      queue = [];
      await round;
    },
  };
}

function ignoreAbort(err: unknown): void {
  if (!(err instanceof Error && err.name === 'AbortError')) throw err;
}
