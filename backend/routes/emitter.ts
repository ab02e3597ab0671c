/**
 * Tells routers over NATS where this cell's instances are: at once when one becomes ready or ends, and all of them at
 * the interval that routers ask for, when a router starts, and when the connection is there again
 * (route-emitter `emitter/nats_emitter.go`, `scheduler/routebroadcastscheduler.go`, `unregistration/`).
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../core/clock.js';
import { messageOf } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import type { Containers } from '../cell/containers.js';
import type { Heard, Wire } from '../wire/nats.js';
import { readRouterStart } from '../wire/registration.js';
import { advertsOf, type Advert, type AdvertOptions, type Family } from './adverts.js';
import { RouteBook } from './book.js';

export interface EmitterOptions extends AdvertOptions {
  containers: Pick<Containers, 'list' | 'get' | 'subscribe'>;
  wire: Wire;
  clock: Clock;
  log: Log;
  /** Goodbyes are repeated so often, as long as a router may still remember the route: 30 s. */
  goodbye_ms?: number;
  /** Between 0 and 1. */
  random?: () => number;
}

export interface EmitterStats {
  /** Entries that routers hold because of us. */
  routes: number;
  registers: number;
  unregisters: number;
  /** The interval at which all is repeated, as the routers ask. */
  interval_ms: number;
}

/** Until a router says otherwise: what routers of a foundation say. */
const INTERVAL_MS = 20_000;
const STALE_MS = 120_000;
const GREET_MS = 1_000;
/** Part of the interval over which cells spread when a router starts. */
const JITTER = 0.2;

export class RouteEmitter {
  readonly #options: EmitterOptions;
  readonly #book = new RouteBook();
  readonly #closing = new AbortController();
  readonly #undo: (() => void)[] = [];
  readonly #families: readonly Family[];
  /** Families whose routers have not answered our greeting on this connection. */
  readonly #unanswered = new Set<Family>();
  #isConnected = false;
  #wake = new AbortController();
  #loops: Promise<void>[] = [];
  #interval_ms = INTERVAL_MS;
  #stale_ms = STALE_MS;
  #counts = { registers: 0, unregisters: 0 };

  constructor(options: EmitterOptions) {
    this.#options = options;
    this.#families = options.internal ? ['router', 'service-discovery'] : ['router'];
  }

  stats(): EmitterStats {
    return { routes: this.#book.size, ...this.#counts, interval_ms: this.#interval_ms };
  }

  start(): void {
    const { containers, wire } = this.#options;
    for (const family of this.#families) {
      this.#undo.push(wire.subscribe(`${family}.start`, (heard) => this.#started(family, heard)));
    }
    this.#undo.push(containers.subscribe((guid) => this.#look(guid)));
    for (const { reservation } of containers.list()) this.#look(reservation.guid);
    this.#undo.push(wire.onState((isConnected) => this.#connected(isConnected)));
    const { goodbye_ms = 30_000 } = this.#options;
    this.#loops = [
      this.#repeat(
        () => this.#interval_ms,
        () => this.#registerAll(),
      ),
      this.#repeat(
        () => goodbye_ms,
        () => this.#repeatGoodbyes(),
      ),
      this.#repeat(
        () => GREET_MS,
        () => this.#greet(),
      ),
    ];
  }

  /** Says nothing more: machines stay, and so do their routes until the next process of this cell takes over. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#wake.abort();
    for (const undo of this.#undo.splice(0)) undo();
    await Promise.all(this.#loops);
  }

  #look(guid: string): void {
    const { containers, clock } = this.#options;
    const container = containers.get(guid);
    const adverts = container ? advertsOf(container, this.#options) : [];
    const changes = this.#book.set(guid, adverts, { now: clock.now(), keep_ms: this.#stale_ms });
    for (const advert of changes.register) this.#say('register', advert);
    for (const advert of changes.unregister) this.#say('unregister', advert);
    if (changes.register.length + changes.unregister.length > 0) {
      const { register, unregister } = changes;
      const uris = (all: Advert[]) => all.flatMap(({ message }) => message.uris ?? []);
      this.#options.log.info(
        { instance_guid: guid, registered: uris(register), unregistered: uris(unregister) },
        'routes.changed',
      );
    }
  }

  #connected(isConnected: boolean): void {
    this.#isConnected = isConnected;
    if (!isConnected) return;
    this.#book.renew({ now: this.#options.clock.now(), keep_ms: this.#stale_ms });
    for (const family of this.#families) this.#unanswered.add(family);
    this.#greet();
    this.#registerAll();
    this.#repeatGoodbyes();
  }

  #greet(): void {
    const { wire } = this.#options;
    for (const family of this.#unanswered) {
      const inbox = `_INBOX.${randomUUID()}`;
      const stop = wire.subscribe(inbox, (heard) => {
        stop();
        this.#unanswered.delete(family);
        this.#follow(heard);
      });
      // gorouter reads every message on `router.*`: an empty one would be a fault in its log.
      wire.publish(`${family}.greet`, {}, inbox);
      const late = setTimeout(stop, GREET_MS * 5);
      late.unref();
    }
  }

  /** A router has started and knows nothing. */
  #started(family: Family, heard: Heard): void {
    this.#unanswered.delete(family);
    this.#follow(heard);
    const { clock, random = Math.random } = this.#options;
    // All cells hear it in the same moment.
    const pause = random() * JITTER * this.#interval_ms;
    void clock.sleep(pause, this.#closing.signal).then(
      () => {
        this.#registerAll(family);
        this.#repeatGoodbyes();
      },
      () => undefined,
    );
  }

  #follow({ subject, payload }: Heard): void {
    try {
      const { minimumRegisterIntervalInSeconds: interval, pruneThresholdInSeconds: stale } = readRouterStart(payload);
      // A router of a test may say 0.
      const interval_ms = Math.max(1, interval) * 1_000;
      this.#stale_ms = Math.max(interval, stale, 1) * 1_000;
      if (interval_ms === this.#interval_ms) return;
      this.#interval_ms = interval_ms;
      this.#wake.abort();
    } catch (err) {
      this.#options.log.warn({ subject, reason: messageOf(err) }, 'routes.router-not-understood');
    }
  }

  #registerAll(only?: Family): void {
    for (const advert of this.#book.all()) if (!only || advert.family === only) this.#say('register', advert);
  }

  #repeatGoodbyes(): void {
    if (!this.#isConnected) return;
    for (const advert of this.#book.goodbyes(this.#options.clock.now())) this.#say('unregister', advert);
  }

  #say(verb: 'register' | 'unregister', { family, message }: Advert): void {
    if (this.#options.wire.publish(`${family}.${verb}`, message)) this.#counts[`${verb}s`]++;
  }

  /** Until closed. A changed interval counts at once. */
  async #repeat(interval: () => number, job: () => void): Promise<void> {
    const { clock } = this.#options;
    while (!this.#closing.signal.aborted) {
      const wake = this.#wake;
      const woken = await clock.sleep(interval(), wake.signal).then(
        () => false,
        () => true,
      );
      // To end, or because the interval changed. The first to wake hangs a new bell for all.
      if (!woken) job();
      else if (this.#wake === wake) this.#wake = new AbortController();
    }
  }
}
