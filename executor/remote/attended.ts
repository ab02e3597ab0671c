import { join } from 'node:path';
import type { Clock } from '../../core/clock.js';
import type { Log } from '../../core/log.js';
import type { Key } from '../model.js';
import type { DoorTokens } from './door.js';
import type { Driver } from './driver.js';
import { Forwards } from './forward.js';
import { RemoteLive, type Pace } from './machine.js';
import { handleOf, type RemoteRecord, type RemoteRecords } from './record.js';
import { Spool } from './spool.js';

/** What all that looks after machines elsewhere stands on. */
export interface RemoteParts {
  driver: Driver;
  records: RemoteRecords;
  tokens: DoorTokens;
  pace: Pace;
  clock: Clock;
  log: Log;
}

/** The machines that this process looks after, each once; the provider is asked about all of them together. */
export class Attended {
  readonly #live = new Map<Key, Promise<RemoteLive>>();
  readonly #closed = new AbortController();
  #isWatching = false;

  constructor(private readonly parts: RemoteParts) {}

  get(key: Key): Promise<RemoteLive> | undefined {
    return this.#live.get(key);
  }

  /** Looks after it from now on. `forwards`: its published ports, where they are open already. */
  attach(record: RemoteRecord, forwards?: Forwards): Promise<RemoteLive> {
    const known = this.#live.get(record.key);
    if (known) return known;
    const live = this.#look(record, forwards);
    this.#live.set(record.key, live);
    live.catch(() => this.#live.delete(record.key));
    if (!this.#isWatching) void this.#watch();
    this.#isWatching = true;
    return live;
  }

  /** One that is no more: closes its ports and ends what is being written of it. */
  async drop(key: Key): Promise<void> {
    const live = await this.#live.get(key)?.catch(() => undefined);
    this.#live.delete(key);
    live?.close();
    await live?.spool.close();
  }

  /** Stops looking; the machines go on. */
  close(): void {
    this.#closed.abort(new Error('closed'));
    for (const live of this.#live.values()) {
      live.then(
        (one) => one.close(),
        () => undefined,
      );
    }
  }

  async #look(record: RemoteRecord, given: Forwards | undefined): Promise<RemoteLive> {
    const { driver, records, tokens, pace, clock, log } = this.parts;
    const spool = await Spool.open(join(records.folder(record.key), 'console'));
    let forwards = given;
    if (!record.exit && !given) {
      await driver.resume?.(handleOf(driver.name, record));
      forwards = (
        await Forwards.open(record.ports, () => record.address).catch((err: unknown) => {
          log.warn({ err, key: record.key }, 'remote.port-lost');
          return undefined;
        })
      )?.forwards;
    }
    const token = await tokens.of(record.key);
    const save = (changed: RemoteRecord): Promise<void> => records.save(changed);
    return new RemoteLive(record, { driver, spool, forwards, pace, clock, log, token, save });
  }

  /** Asks again and again. */
  async #watch(): Promise<void> {
    const { driver, pace, clock, log } = this.parts;
    const { signal } = this.#closed;
    while (!signal.aborted) {
      try {
        await this.#tick();
      } catch (err) {
        log.warn({ err, provider: driver.name }, 'remote.state-unknown');
      }
      await clock.sleep(pace.state_ms, signal).catch(() => undefined);
    }
  }

  async #tick(): Promise<void> {
    const living = (await Promise.allSettled(this.#live.values())).flatMap((one) =>
      one.status === 'fulfilled' && !one.value.over ? [one.value] : [],
    );
    for (const owner of new Set(living.map(({ record }) => record.owner))) {
      const found = new Map((await this.parts.driver.find(owner)).map((machine) => [machine.key, machine]));
      const mine = living.filter(({ record }) => record.owner === owner);
      // The last words of one may take their time: the others do not wait for it.
      for (const live of mine) void live.note(found.get(live.record.key));
    }
  }
}
