import { readFile } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../../../../core/clock.js';
import { BbsError, createBbs, type Bbs, type Identity } from '../../../../backend/wire/bbs.js';
import type { BBS_STREAMS } from '../../../../backend/wire/bbs-routes.js';
import type { Sent } from '../../../../backend/wire/codec.js';
import type { Messages } from '../../../../protos/generated.js';
import { listenForCallbacks, type CallbackSink } from '../../../support/diego/callbacks.js';
import type { Diego } from '../../../support/diego/diego.js';
import { subscribe, type EventStream } from '../../../support/diego/event-stream.js';
import { NotSeen } from '../../../support/diego/journal.js';
import { connectLocket, type Locket } from '../../../support/diego/locket.js';
import { TestCell, type CellSetup, type Instance, type Seen, type Work } from '../../../support/diego/test-cell.js';

export type ActualLRP = Messages['models.ActualLRP'];
export type Task = Messages['models.Task'];
export type DesiredLRP = Messages['models.DesiredLRP'];

/** Lengths of the server under test; milliseconds. */
export interface Times {
  converge_ms: number;
  kick_ms: number;
  /** An unclaimed LRP older than this is auctioned again. Diego: 30 s. */
  stale_ms: number;
  /** The first back-off, after the third crash. Diego: 30 s. */
  backoff_ms: number;
  /** A task that waits longer than this has failed. */
  expire_pending_ms: number;
  /** A completed task that nobody resolves is deleted after this. */
  expire_completed_ms: number;
  /** How long a case waits for what should come at once. */
  patience_ms: number;
}

/** A control plane and what all cases on it share. */
export interface Ground {
  readonly diego: Diego;
  readonly tls: Identity;
  readonly bbs: Bbs;
  readonly locket: Locket;
  readonly callbacks: CallbackSink;
  readonly times: Times;
  /** Present as long as the ground is, so that the list of cells is never empty; takes the stack `anchor`. */
  readonly anchor: TestCell;
  close(): Promise<void>;
}

export async function prepareGround(diego: Diego, times: Times): Promise<Ground> {
  const read = (path: string): Promise<string> => readFile(path, 'utf8');
  const tls = {
    ca: await read(diego.certs.ca),
    cert: await read(diego.certs.cert),
    key: await read(diego.certs.key),
  };
  const bbs = createBbs({ url: diego.bbs_url, tls, clock: systemClock, timeout_ms: 20_000, attempts: 1 });
  const locket = connectLocket(diego.locket_address, tls);
  const callbacks = await listenForCallbacks(tls);
  const anchor = await TestCell.listen({ id: `anchor-${randomUUID()}`, stacks: ['anchor'] }, tls, bbs, locket);
  await anchor.present();
  const close = async (): Promise<void> => {
    await anchor.close();
    await callbacks.close();
    locket.close();
    await bbs.close();
    await diego.close();
  };
  return { diego, tls, bbs, locket, callbacks, times, anchor, close };
}

/** What one case works with: names of its own, so that cases run side by side. */
export class Bench {
  /** In every name this case makes. */
  readonly id = randomUUID().slice(0, 8);
  readonly domain = `domain-${this.id}`;
  readonly stack = `stack-${this.id}`;
  readonly #undo: (() => Promise<void> | void)[] = [];
  readonly #cells: TestCell[] = [];
  #names = 0;

  constructor(readonly ground: Ground) {}

  get bbs(): Bbs {
    return this.ground.bbs;
  }
  get locket(): Locket {
    return this.ground.locket;
  }
  get callbacks(): CallbackSink {
    return this.ground.callbacks;
  }
  get times(): Times {
    return this.ground.times;
  }

  /** A name nobody else has. */
  name(kind: string): string {
    return `${kind}-${this.id}-${++this.#names}`;
  }

  /** A cell that listens but is not present. */
  async absentCell(setup: Partial<CellSetup> = {}): Promise<TestCell> {
    const full = { id: this.name('cell'), stacks: [this.stack], ...setup };
    const cell = await TestCell.listen(full, this.ground.tls, this.bbs, this.locket);
    this.#undo.push(() => cell.close());
    this.#cells.push(cell);
    return cell;
  }

  /** A cell, present, for this case's stack. */
  async cell(setup: Partial<CellSetup> = {}): Promise<TestCell> {
    const cell = await this.absentCell(setup);
    await cell.present();
    return cell;
  }

  async events(stream: keyof typeof BBS_STREAMS, cell_id?: string): Promise<EventStream> {
    const opened = await subscribe(this.ground.diego.bbs_url, this.ground.tls, stream, cell_id);
    this.#undo.push(() => opened.close());
    return opened;
  }

  /** A complete desired LRP of this case. */
  lrp(over: Sent<DesiredLRP> = {}): Sent<DesiredLRP> & { process_guid: string } {
    const process_guid = over.process_guid ?? this.name('proc');
    return {
      domain: this.domain,
      root_fs: `preloaded:${this.stack}`,
      instances: 1,
      memory_mb: 64,
      disk_mb: 64,
      max_pids: 10,
      log_guid: `log-${process_guid}`,
      metrics_guid: `log-${process_guid}`,
      metric_tags: { source_id: { static: `log-${process_guid}` } },
      action: { run_action: { path: '/bin/app', user: 'vcap' } },
      ...over,
      process_guid,
    };
  }

  /** Desires an LRP; its process guid. */
  async desire(over: Sent<DesiredLRP> = {}): Promise<string> {
    const desired_lrp = this.lrp(over);
    await this.noticed();
    await this.bbs.call('desire_lrp', { desired_lrp });
    return desired_lrp.process_guid;
  }

  /** Desires a task; its guid. */
  async desireTask(over: Sent<Messages['models.TaskDefinition']> = {}, guid = this.name('task')): Promise<string> {
    await this.noticed();
    await this.bbs.call('desire_task', { task_definition: this.task(over), task_guid: guid, domain: this.domain });
    return guid;
  }

  /**
   * The auctioneer reads the states of cells first and takes the waiting work afterwards, so work may meet states that
   * are older than itself. Here an auction is made to happen, and the cells of this case are waited for.
   */
  async noticed(): Promise<void> {
    const since = Date.now();
    const cells = this.#cells.filter(({ isPresent }) => isPresent);
    if (cells.length === 0) return;
    const lrp = { process_guid: this.name('nobody'), domain: this.domain, indices: [0], RootFs: 'preloaded:nowhere' };
    await this.auction('lrps', [
      { ...lrp, MemoryMB: 1, DiskMB: 1, MaxPids: 0, PlacementTags: null, VolumeDrivers: null },
    ]);
    const asked = (cell: TestCell) =>
      cell.seen.wait('/state', this.times.patience_ms, ({ kind, at }) => kind === 'state' && at >= since);
    await Promise.all(cells.map(asked));
  }

  /** Gives work to the auctioneer itself; its status and answer. */
  async auction(what: 'lrps' | 'tasks', body: unknown): Promise<[number, string]> {
    const url = new URL(`/v1/${what}`, this.ground.diego.auctioneer_url);
    const sent = request(url, { method: 'POST', agent: false, timeout: 10_000, ...this.ground.tls });
    sent.end(JSON.stringify(body));
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    let text = '';
    for await (const chunk of response) text += String(chunk);
    return [response.statusCode ?? 0, text.trim()];
  }

  task(over: Sent<Messages['models.TaskDefinition']> = {}) {
    return {
      root_fs: `preloaded:${this.stack}`,
      memory_mb: 32,
      disk_mb: 32,
      log_guid: 'log',
      action: { run_action: { path: '/bin/task', user: 'vcap' } },
      ...over,
    };
  }

  /** The rows of a process, by index, then presence. */
  async lrps(process_guid: string): Promise<ActualLRP[]> {
    const { actual_lrps } = await this.bbs.call('actual_lrps', { process_guid });
    return actual_lrps.sort((a, b) => order(a).localeCompare(order(b)));
  }

  /** The only row of a process. */
  async only(process_guid: string): Promise<ActualLRP> {
    const rows = await this.lrps(process_guid);
    if (rows.length !== 1 || !rows[0]) throw new NotSeen(`${process_guid}: ${rows.length} rows where one should be`);
    return rows[0];
  }

  async getTask(task_guid: string): Promise<Task> {
    const { task } = await this.bbs.call('task', { task_guid });
    if (!task) throw new NotSeen(`task ${task_guid}: neither task nor error`);
    return task;
  }

  /** The kind and words of a refusal by the BBS. */
  async refusal(call: Promise<unknown>): Promise<{ type: string; message: string }> {
    try {
      await call;
    } catch (err) {
      if (err instanceof BbsError) return { type: err.type, message: err.message };
      throw err;
    }
    return { type: 'none', message: 'the call was accepted' };
  }

  /** Looks until `look` gives something other than undefined, null or false. Throws NotSeen when it never does. */
  async until<T>(what: string, look: () => Promise<T>, ms = this.times.patience_ms): Promise<NonNullable<T>> {
    const deadline = Date.now() + ms;
    for (;;) {
      const found = await look();
      if (found !== undefined && found !== null && found !== false) return found;
      if (Date.now() > deadline) throw new NotSeen(`${what}: not within ${ms} ms`);
      await delay(40);
    }
  }

  /** The rows of a process once `match` holds for them. */
  rows(process_guid: string, what: string, match: (rows: ActualLRP[]) => boolean, ms?: number): Promise<ActualLRP[]> {
    const look = async (): Promise<ActualLRP[] | undefined> => {
      const rows = await this.lrps(process_guid);
      return match(rows) ? rows : undefined;
    };
    return this.until(`${process_guid} ${what}`, look, ms);
  }

  /** The `/work` requests that name the process, once there are `count` of them. */
  work(cell: TestCell, process_guid: string, count = 1, ms = this.times.patience_ms): Promise<Seen[]> {
    return cell.seen.wait(`/work for ${process_guid}`, ms, (seen) => names(seen, process_guid), count);
  }

  /** The `/work` requests so far that name the process. */
  worked(cell: TestCell, process_guid: string): Seen[] {
    return cell.seen.filter((seen) => names(seen, process_guid));
  }

  /** Desires one process, waits for its work and starts each index on the cell that got it. */
  async running(cells: readonly TestCell[], over: Sent<DesiredLRP> = {}): Promise<{ guid: string; on: Placed[] }> {
    const guid = await this.desire(over);
    const on = await this.placed(cells, guid, over.instances ?? 1);
    for (const { cell, one } of on) {
      await cell.claim(one);
      await cell.start(one);
    }
    return { guid, on };
  }

  /** Where each index was placed, once all `count` are; with an instance guid for each. */
  async placed(cells: readonly TestCell[], guid: string, count = 1): Promise<Placed[]> {
    return this.until(`${count} instances of ${guid} placed`, async () => {
      const found = cells.flatMap((cell) =>
        this.worked(cell, guid).flatMap((seen) =>
          ((seen.body as Work).LRPs ?? [])
            .filter((lrp) => lrp.process_guid === guid)
            .map((lrp) => ({ cell, one: this.instance(guid, lrp.index) })),
        ),
      );
      return found.length >= count ? found.sort((a, b) => a.one.index - b.one.index) : undefined;
    });
  }

  instance(process_guid: string, index = 0, instance_guid = this.name('inst')): Instance {
    return { process_guid, index, domain: this.domain, instance_guid };
  }

  /** Two convergences have passed for sure. */
  async rounds(count = 2): Promise<void> {
    await delay(this.times.converge_ms * count + 300);
  }

  later(undo: () => Promise<void> | void): void {
    this.#undo.push(undo);
  }

  async close(): Promise<void> {
    for (const undo of this.#undo.splice(0).reverse()) await undo();
    // What a case leaves would be repaired and auctioned for as long as the others run.
    const { actual_lrps } = await this.bbs.call('actual_lrps', { domain: this.domain });
    const { desired_lrps } = await this.bbs.call('desired_lrps', { domain: this.domain });
    for (const { process_guid } of desired_lrps) await this.gone(this.bbs.call('remove_lrp', { process_guid }));
    for (const { actual_lrp_key } of actual_lrps)
      if (actual_lrp_key) await this.gone(this.bbs.call('remove', { ...actual_lrp_key }));
    const { tasks } = await this.bbs.call('tasks', { domain: this.domain });
    for (const { task_guid } of tasks) {
      await this.gone(this.bbs.call('cancel_task', { task_guid }));
      await this.gone(this.bbs.call('resolving_task', { task_guid }));
      await this.gone(this.bbs.call('delete_task', { task_guid }));
    }
  }

  /** Clearing away: what the BBS no longer has is as good as cleared. */
  private async gone(call: Promise<unknown>): Promise<void> {
    await call.catch((err: unknown) => {
      if (!(err instanceof BbsError)) throw err;
    });
  }
}

export interface Placed {
  cell: TestCell;
  one: Instance;
}

function names(seen: Seen, guid: string): boolean {
  if (seen.kind !== 'work') return false;
  const { LRPs, Tasks } = seen.body as Work;
  return (LRPs ?? []).some((lrp) => lrp.process_guid === guid) || (Tasks ?? []).some((task) => task.TaskGuid === guid);
}

function order({ actual_lrp_key, presence }: ActualLRP): string {
  return `${String(actual_lrp_key?.index).padStart(6, '0')} ${presence}`;
}
