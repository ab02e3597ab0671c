/**
 * Auctions in rounds: what has come in is placed by the cells' states as they are now, then given to them. A round
 * waits for slow cells only for a while, so that one of them does not hold up the rest; what found no place without
 * them is tried once more when one of them has answered.
 */
import type { Clock } from '../../core/clock.js';
import type { Log } from '../../core/log.js';
import type { CellPresence } from '../bbs/model.js';
import type { CellClient } from './cell-client.js';
import type { CellState, LrpStart, TaskStart } from './model.js';
import { asWork, identityOf, items, place, type AuctionPolicy, type Item } from './place.js';

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
  /** Slow cells it was tried without before, and still waits for. Absent: it was never held. */
  waiting?: Set<string>;
}

interface Answers {
  states: CellState[];
  /** Cells that are left out of this round: each resolves when it has answered, or will not. */
  late: Map<string, Promise<void>>;
}

export function createAuctioneer(parts: AuctioneerParts): Auctioneer {
  const { cells, client, failed, policy, clock, log, patience_ms } = parts;
  const stop = new AbortController();
  /** Cells whose `/work` is open. */
  const busy = new Map<string, Promise<void>>();
  /** States that came too late for the round that asked: good for what was held for them, if that is tried at once. */
  const fresh = new Map<string, { state: CellState; at: number }>();
  let queue: Queued[] = [];
  let round: Promise<void> | undefined;

  function add(more: Queued[]): void {
    // A round of nothing would end before it is known to have begun, and be waited for ever.
    if (stop.signal.aborted || more.length === 0) return;
    queue.push(...more);
    round ??= rounds();
  }

  async function rounds(): Promise<void> {
    while (queue.length > 0 && !stop.signal.aborted) {
      // What was held goes by the answers it waited for, what is new by answers younger than itself: not in one round.
      const wanted = [...new Map(queue.map((one) => [identityOf(one.item), one])).values()];
      const held = wanted.filter(({ waiting }) => waiting);
      const fromHeld = held.length > 0;
      queue = fromHeld ? wanted.filter(({ waiting }) => !waiting) : [];
      await auctionOff(fromHeld ? held : wanted, fromHeld).catch((err: unknown) =>
        log.error({ err }, 'auction.failed'),
      );
    }
    round = undefined;
  }

  async function auctionOff(taken: Queued[], held: boolean): Promise<void> {
    const known = cells();
    const { states, late } = await statesOf(known, held);
    const byItem = new Map(taken.map((one) => [one.item, one]));
    const { work, failed: lost } = place([...byItem.keys()], states, policy);
    const told = lost.map(async ({ item, error }) => {
      const one = byItem.get(item) ?? { item, trace: '' };
      if (!hold(one, late)) await failed(item, error, one.trace);
    });
    const given = [...work].map(([cell_id, chosen]) => commit(known.get(cell_id), chosen, byItem));
    await Promise.all(told);
    await patiently(Promise.all(given));
  }

  /** Until the first of the slow cells it waits for has answered. False: it waits for none. */
  function hold(one: Queued, late: Answers['late']): boolean {
    const waiting = new Set([...(one.waiting ?? late.keys())].filter((cell_id) => late.has(cell_id)));
    if (waiting.size === 0) return false;
    const answers = [...waiting].map(async (cell_id) => {
      await late.get(cell_id);
      return cell_id;
    });
    void Promise.race(answers).then((cell_id) => {
      waiting.delete(cell_id);
      add([{ ...one, waiting }]);
    });
    return true;
  }

  async function statesOf(known: ReadonlyMap<string, CellPresence>, held: boolean): Promise<Answers> {
    const free = [...known.values()].filter(({ cell_id }) => !busy.has(cell_id));
    const open = [...busy].filter(([cell_id]) => known.has(cell_id));
    for (let at = 1; ; at++) {
      const answers = await ask(free, held);
      const enough = answers.states.length > 0 || answers.late.size > 0 || free.length === 0;
      if (enough || at === STATE_ROUNDS || stop.signal.aborted) {
        return { states: answers.states, late: new Map([...open, ...answers.late]) };
      }
    }
  }

  /** All answers, or those that came within the patience. */
  async function ask(asked: CellPresence[], held: boolean): Promise<Answers> {
    const states: CellState[] = [];
    const late = new Map<string, Promise<void>>();
    let over = false;
    const asking = asked.map(async (cell) => {
      const state = (held && freshOf(cell)) || (await stateOf(cell));
      late.delete(cell.cell_id);
      if (!state) return;
      if (over) fresh.set(cell.cell_id, { state, at: clock.now() });
      else states.push(state);
    });
    for (const [at, { cell_id }] of asked.entries()) late.set(cell_id, asking[at] ?? Promise.resolve());
    const all = Promise.all(asking);
    await Promise.race([all, ...asking]);
    await patiently(all);
    over = true;
    return { states, late: new Map(late) };
  }

  function freshOf({ cell_id }: CellPresence): CellState | undefined {
    const known = fresh.get(cell_id);
    fresh.delete(cell_id);
    return known && clock.now() - known.at <= patience_ms ? known.state : undefined;
  }

  async function stateOf(cell: CellPresence): Promise<CellState | undefined> {
    const { cell_id } = cell;
    try {
      const state = await client.state(cell, stop.signal);
      if (!policy.checksCellId || state.cell_id === cell_id) return { ...state, cell_id };
      log.warn({ cell_id, told: state.cell_id }, 'auction.cell-id-mismatch');
    } catch (err) {
      log.warn({ err, cell_id }, 'auction.no-state');
    }
    return undefined;
  }

  /** Until it is done, or patience or this auctioneer ends. */
  async function patiently(work: Promise<unknown>): Promise<void> {
    const done = new AbortController();
    const limit = clock.sleep(patience_ms, AbortSignal.any([stop.signal, done.signal])).catch(ignoreAbort);
    await Promise.race([work, limit]);
    done.abort();
  }

  function commit(cell: CellPresence | undefined, chosen: Item[], byItem: Map<Item, Queued>): Promise<void> {
    if (!cell) return Promise.resolve();
    const trace = chosen.map((item) => byItem.get(item)?.trace).find((one) => one) ?? '';
    const work = give(cell, chosen, trace).finally(() => busy.delete(cell.cell_id));
    busy.set(cell.cell_id, work);
    return work;
  }

  async function give(cell: CellPresence, chosen: Item[], trace: string): Promise<void> {
    const { cell_id } = cell;
    try {
      const refused = await client.work(cell, asWork(cell_id, chosen), trace, stop.signal);
      const count = (refused.LRPs?.length ?? 0) + (refused.Tasks?.length ?? 0);
      // Diego tells no reason here, so the BBS refuses to hear it: these wait for convergence.
      if (count > 0) log.info({ cell_id, count }, 'auction.work-refused');
    } catch (err) {
      log.warn({ err, cell_id }, 'auction.work-failed');
    }
  }

  return {
    auction: (lrps, tasks, trace) => add(items(lrps, tasks).map((item) => ({ item, trace }))),
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
