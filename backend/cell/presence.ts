/**
 * The cell's row in Locket, by which Diego knows that it lives (rep `cmd/rep/main.go` initializeCellPresence, locket
 * `lock/lock.go`). It lapses when nobody renews it; a restart within that time is not seen by anybody.
 */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Clock } from '../../core/clock.js';
import { messageOf } from '../../core/errors.js';
import { readJsonFile, writeJsonFile } from '../../core/json-file.js';
import type { Log } from '../../core/log.js';
import type { CellFacts } from '../rep/face.js';
import { LocketRefusal, type Locket } from '../wire/locket.js';
import type { Room } from './containers.js';

/** CellPresence as JSON (bbs `models/cell_presence.go`). `rep_address`: an older field, the admin address as http. */
export function presenceValue(facts: CellFacts, rep_address: string, total: Room): string {
  const { cell_id, zone, stacks, placement_tags, optional_placement_tags, rep_url } = facts;
  const properties = stacks.length > 0 ? { properties: stacks } : {};
  return JSON.stringify({
    cell_id,
    rep_address,
    zone,
    capacity: { memory_mb: total.memory_mb, disk_mb: total.disk_mb, containers: total.containers },
    rootfs_provider_list: ['preloaded', 'preloaded+layer'].map((name) => ({ name, ...properties })),
    ...(placement_tags.length > 0 ? { placement_tags } : {}),
    ...(optional_placement_tags.length > 0 ? { optional_placement_tags } : {}),
    rep_url,
  });
}

const ownerSchema = z.object({ owner: z.uuid() });

/** Kept in the cell's home: a restarted cell renews the row of the one before instead of waiting for its end. */
export async function presenceOwner(path: string): Promise<string> {
  const known = ownerSchema.safeParse(await readJsonFile(path));
  if (known.success) return known.data.owner;
  const owner = randomUUID();
  await writeJsonFile(path, { owner });
  return owner;
}

export interface PresenceOptions {
  locket: Locket;
  clock: Clock;
  log: Log;
  cell_id: string;
  owner: string;
  /** Read at each beat: capacity may change. */
  value: () => string;
  ttl_s: number;
  beat_ms: number;
}

export class Presence {
  readonly #options: PresenceOptions;
  readonly #end = new AbortController();
  #beating: Promise<void> | undefined;
  #held = false;

  constructor(options: PresenceOptions) {
    this.#options = options;
  }

  /** Resolves when the row is ours, however long that takes, and keeps it from then on. Rejects when `signal` fires. */
  async acquire(signal: AbortSignal): Promise<void> {
    const { clock, beat_ms } = this.#options;
    while (!(await this.#beat())) await clock.sleep(beat_ms, signal);
    signal.throwIfAborted();
    this.#beating = this.#keep();
  }

  /** Gives the row up: the cell is empty and goes. What Locket does not hear, the row's end tells. */
  async release(): Promise<void> {
    await this.close();
    const { locket, cell_id, owner, log } = this.#options;
    try {
      await locket.release({ key: cell_id, owner });
      log.info({ cell_id }, 'presence.released');
    } catch (err) {
      log.warn({ reason: messageOf(err) }, 'presence.release-failed');
    }
  }

  /** Stops renewing and leaves the row: a restart within its time goes unnoticed. */
  async close(): Promise<void> {
    this.#end.abort();
    await this.#beating;
  }

  async #keep(): Promise<void> {
    const { clock, beat_ms } = this.#options;
    const { signal } = this.#end;
    for (;;) {
      try {
        await clock.sleep(beat_ms, signal);
      } catch (err) {
        if (signal.aborted) return;
        throw err;
      }
      await this.#beat();
    }
  }

  async #beat(): Promise<boolean> {
    const { locket, cell_id, owner, value, ttl_s, log } = this.#options;
    const resource = { key: cell_id, owner, value: value(), type: 'presence', type_code: 'PRESENCE' as const };
    try {
      await locket.lock(resource, ttl_s);
      if (!this.#held) log.info({ cell_id }, 'presence.held');
      this.#held = true;
      return true;
    } catch (err) {
      const collides = err instanceof LocketRefusal && err.kind === 'collision';
      const holder = collides ? await this.#holder() : undefined;
      log.warn({ reason: messageOf(err), holder }, 'presence.not-renewed');
      this.#held = false;
      return false;
    }
  }

  async #holder(): Promise<string | undefined> {
    try {
      return (await this.#options.locket.fetch(this.#options.cell_id))?.owner;
    } catch {
      // Only for the log line about the failure that is told already.
      return undefined;
    }
  }
}
