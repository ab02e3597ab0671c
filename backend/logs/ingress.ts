/**
 * The way of envelopes to the Loggregator agent: queued without waiting, sent in batches on calls that are renewed.
 * What is lost is counted, and told of in the log it is missing from; nothing is sent twice.
 */
import type { Clock } from '../../core/clock.js';
import { messageOf } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import { encodeBatch, type Agent } from '../wire/loggregator.js';
import { lossItem, type Item } from './envelope.js';
import { FairQueue } from './fair-queue.js';
import { LossCount, Telling } from './losses.js';
import { Stamps } from './stamps.js';
import { Stream } from './stream.js';

export interface IngressOptions {
  agent: Agent;
  clock: Clock;
  log: Log;
  /** Envelopes in a batch. */
  batch?: number;
  /** An envelope waits this long for others to share its batch. */
  flush_ms?: number;
  max_envelopes?: number;
  max_bytes?: number;
  /**
   * A call is ended after this long, to learn that what was sent on it was read. Real agents write a line of their log
   * for each, so not too often; rarer, and more lines are in doubt when a call breaks.
   */
  renew_ms?: number;
  /** Without any progress for so long, a call is given up. */
  stall_ms?: number;
  /** Pause before a failed call is followed by another; doubles up to `max_pause_ms`. */
  pause_ms?: number;
  max_pause_ms?: number;
  /** How often, at most, a source is told of its losses. */
  tell_ms?: number;
}

/** Envelopes, all since the start. */
export interface IngressStats {
  /** Read by the agent, as it confirmed. */
  sent: number;
  /** Thrown away before they were sent. */
  dropped: number;
  /** Sent on calls that broke before the agent confirmed: lost, or not. */
  unconfirmed: number;
  /** Calls that broke. */
  broken: number;
  queued: number;
  queued_bytes: number;
}

export interface Ingress {
  send(item: Item): void;
  stats(): IngressStats;
  /** Sends what is queued, for at most `timeout_ms`. Settled when everything is closed. */
  close(timeout_ms: number): Promise<void>;
}

/** Well below the 4 MiB that gRPC servers take by default. */
const BATCH_BYTES = 256 * 1024;
/** Of an envelope beyond its payload; its tags are shared. */
const OVERHEAD = 400;
const DROPPED = { dropped: 1, unconfirmed: 0 };
const IN_DOUBT = { dropped: 0, unconfirmed: 1 };
const CONNECT_MS = 1_000;
const IDLE_MS = 60_000;
const DEFAULTS = {
  batch: 100,
  flush_ms: 100,
  max_envelopes: 50_000,
  max_bytes: 32 * 2 ** 20,
  renew_ms: 5_000,
  stall_ms: 10_000,
  pause_ms: 100,
  max_pause_ms: 5_000,
  tell_ms: 1_000,
};

export function createIngress(options: IngressOptions): Ingress {
  return new AgentIngress(options);
}

class AgentIngress implements Ingress {
  readonly #options: Required<IngressOptions>;
  readonly #queue: FairQueue<Item>;
  readonly #telling: Telling;
  readonly #stamps = new Stamps();
  readonly #counts = { sent: 0, dropped: 0, unconfirmed: 0, broken: 0 };
  /** No more is taken, what is queued is sent. */
  readonly #closing = new AbortController();
  /** Nothing more is waited for. */
  readonly #closed = new AbortController();
  readonly #done: Promise<void>;
  #waker = new AbortController();
  #stream: Stream | undefined;
  /** What was sent on the open call: how many envelopes, and what is missing should it break. */
  #open = { envelopes: 0, losses: new LossCount() };
  /** The last call ended well, so the next may carry lines at once. */
  #isTrusted = false;

  constructor(options: IngressOptions) {
    this.#options = { ...DEFAULTS, ...options };
    this.#queue = new FairQueue({
      max_count: this.#options.max_envelopes,
      max_bytes: this.#options.max_bytes,
      sizeOf: (item) => (item.log?.payload?.length ?? 0) + OVERHEAD,
      onDrop: (item) => {
        this.#counts.dropped++;
        if (item.log) this.#telling.untold.add(item.source, item.at, DROPPED);
      },
    });
    this.#telling = new Telling(this.#options.tell_ms);
    this.#done = this.#run().catch((err: unknown) => {
      options.log.error({ err }, 'logs.ingress.failed');
    });
  }

  send(item: Item): void {
    if (this.#closing.signal.aborted) {
      this.#counts.dropped++;
      return;
    }
    const before = this.#queue.count;
    this.#queue.push(item.source.key, item);
    // Only what changes how long the loop waits is worth waking it for.
    if (before === 0 || before === this.#options.batch - 1) this.#waker.abort();
  }

  stats(): IngressStats {
    return { ...this.#counts, queued: this.#queue.count, queued_bytes: this.#queue.bytes };
  }

  async close(timeout_ms: number): Promise<void> {
    this.#closing.abort();
    this.#waker.abort();
    const { agent, log } = this.#options;
    const deadline = setTimeout(() => {
      this.#closed.abort();
      this.#stream?.cancel();
    }, timeout_ms);
    await this.#done;
    clearTimeout(deadline);
    agent.close();
    const left = this.#queue.take(Infinity, Infinity).length;
    this.#counts.dropped += left;
    if (left > 0) log.warn({ dropped: left }, 'logs.ingress.closed-with-lines');
  }

  async #run(): Promise<void> {
    while (!this.#closed.signal.aborted) {
      await this.#wait();
      const hasMore = this.#queue.count > 0 || this.#isTellingDue();
      if (hasMore) await this.#sendBatch();
      const { signal } = this.#closing;
      if (this.#stream && (this.#stream.hasEnded || this.#renewIn(this.#stream) <= 0 || (signal.aborted && !hasMore)))
        await this.#finish(this.#stream);
      else if (signal.aborted && !hasMore) return;
    }
    if (this.#stream) await this.#finish(this.#stream);
  }

  /** Settled when a batch is full or has waited long enough, when losses are to be told, or the call is old. */
  async #wait(): Promise<void> {
    const { batch, flush_ms } = this.#options;
    let since = this.#now();
    while (this.#queue.count < batch && !this.#closing.signal.aborted) {
      const isEmpty = this.#queue.count === 0;
      const ms = Math.min(
        isEmpty ? IDLE_MS : since + flush_ms - this.#now(),
        this.#stream ? this.#renewIn(this.#stream) : IDLE_MS,
        this.#telling.due(this.#now()),
      );
      if (ms <= 0) return;
      await this.#sleep(ms);
      if (isEmpty) since = this.#now();
    }
  }

  async #sendBatch(): Promise<void> {
    const stream = (this.#stream ??= await this.#connect());
    if (!stream) return;
    if (!(await stream.hasRoom())) {
      stream.cancel();
      await this.#finish(stream);
      return;
    }
    const told = this.#telling.take(this.#now(), this.#closing.signal.aborted).map((untold) => {
      this.#open.losses.add(untold.source, untold.at, untold);
      return lossItem(untold.source, untold.at, untold);
    });
    const own = this.#queue.take(this.#options.batch, BATCH_BYTES);
    for (const item of own) if (item.log) this.#open.losses.add(item.source, item.at, IN_DOUBT);
    this.#open.envelopes += own.length;
    stream.write(encodeBatch([...told, ...own], (item) => this.#stamps.of(item)));
  }

  /** A new call to an agent that was seen to answer; undefined: closed before there was one. */
  async #connect(): Promise<Stream | undefined> {
    const { agent, clock, log, stall_ms, pause_ms, max_pause_ms } = this.#options;
    const open = (): Stream => new Stream(agent, this.#now(), stall_ms);
    for (let tries = 1; !this.#closed.signal.aborted; tries++) {
      try {
        await agent.ready(Date.now() + CONNECT_MS, this.#closed.signal);
        // With TLS 1.3 a refused certificate shows only once something is asked: ask before lines depend on it.
        const error = this.#isTrusted ? undefined : await open().finish();
        if (error) throw error;
        this.#isTrusted = true;
        if (tries > 1) log.info({ tries }, 'logs.agent.reached');
        return open();
      } catch (err) {
        if (tries === 1) log.warn({ err: messageOf(err) }, 'logs.agent.unreachable');
        const pause = Math.min(pause_ms * 2 ** Math.min(tries - 1, 20), max_pause_ms);
        await untilAborted(this.#closed.signal, clock.sleep(pause, this.#closed.signal));
      }
    }
    return undefined;
  }

  /** Ends the call and books what was sent on it. */
  async #finish(stream: Stream): Promise<void> {
    const error = await stream.finish();
    const { envelopes, losses } = this.#open;
    this.#stream = undefined;
    this.#open = { envelopes: 0, losses: new LossCount() };
    this.#isTrusted = error === undefined;
    if (!error) {
      this.#counts.sent += envelopes;
      return;
    }
    this.#counts.broken++;
    this.#counts.unconfirmed += envelopes;
    this.#telling.untold.addAll(losses);
    this.#options.log.warn({ err: error.message, unconfirmed: envelopes }, 'logs.agent.call-broke');
  }

  #isTellingDue(): boolean {
    const due = this.#telling.due(this.#now());
    return due <= 0 || (this.#closing.signal.aborted && due < Infinity);
  }

  #renewIn(stream: Stream): number {
    return stream.opened_at + this.#options.renew_ms - this.#now();
  }

  #now(): number {
    return this.#options.clock.now();
  }

  /** Settled after `ms`, or when woken. */
  async #sleep(ms: number): Promise<void> {
    if (this.#waker.signal.aborted) this.#waker = new AbortController();
    const { signal } = this.#waker;
    await untilAborted(signal, this.#options.clock.sleep(ms, signal));
  }
}

/** The rejection of an aborted wait is its end, no failure. */
async function untilAborted(signal: AbortSignal, wait: Promise<void>): Promise<void> {
  await wait.catch((err: unknown) => {
    if (!signal.aborted) throw err;
  });
}
