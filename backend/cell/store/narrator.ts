import type { Clock } from '../../../core/clock.js';
import type { Log } from '../../../core/log.js';
import type { Executor } from '../../../executor/executor.js';
import type { Instance, LogLine } from '../../../executor/model.js';
import type { Cursor, Cursors } from '../../logs/cursors.js';
import type { Sink } from '../../logs/sink.js';
import { tail } from '../../logs/tail.js';
import { Voice, type Line } from '../../logs/voice.js';
import type { Container, RunOrder } from '../model.js';
import { furthest, lastLines, progressLines, tellsKernel } from './story.js';
import type { EndedContainer, Words } from './words.js';

export interface NarratorDeps {
  executor: Pick<Executor, 'logs'>;
  cursors: Cursors;
  sink: Sink;
  clock: Clock;
  log: Log;
  words: Words;
}

/** Nothing was told yet. */
const BEGINNING: Cursor = { at: 0, count: 0, told: 'reserved' };

/**
 * Tells of one container: what becomes of it and what its machine says. How far it came is kept by the cursors, so
 * that the next process goes on from there.
 */
export class Narrator {
  readonly #voice: Voice;
  readonly #enough = new AbortController();
  #following: Promise<void> | undefined;

  constructor(
    private readonly guid: string,
    private order: RunOrder,
    private readonly deps: NarratorDeps,
  ) {
    this.#voice = new Voice(order.logs, deps.sink, deps.clock);
  }

  say(line: Line): void {
    this.#voice.say(line);
  }

  /** A word of the cell itself. */
  cell(text: string, stream: Line['stream'] = 'out'): void {
    this.#voice.say({ text, stream });
  }

  /** From now on with the tags of this order. */
  renew(order: RunOrder): void {
    this.order = order;
    this.#voice.config = order.logs;
  }

  /** Tells what is new since the last time, but for the end. */
  progress(before: Container, now: Container, instance: Instance | undefined): void {
    const cursor = this.#cursor;
    const reached = furthest(now, instance?.exit);
    const ending = instance?.ending !== undefined;
    for (const line of progressLines({ told: cursor.told, reached, before, now, ending }, this.deps.words))
      this.say(line);
    if (reached !== cursor.told && cursor.told !== 'completed') this.#move({ told: reached });
  }

  /** Tells what the machine says, from where we left off to its end, and then `end`. Call when it exists. */
  follow(end: () => EndedContainer | undefined): void {
    this.#following ??= this.#tellAll(end).catch((err: unknown) => {
      if (!this.#enough.signal.aborted) this.deps.log.error({ err, guid: this.guid }, 'container.log-lost');
    });
  }

  /** Resolves when all is told; at once when there is no machine to follow. */
  async done(): Promise<void> {
    await this.#following;
  }

  /** Nothing more is told. */
  close(): void {
    this.#enough.abort(new Error('unik is closing'));
  }

  async #tellAll(end: () => EndedContainer | undefined): Promise<void> {
    const { executor, words } = this.deps;
    const { signal } = this.#enough;
    await tail(
      executor,
      this.guid,
      this.#cursor,
      (line, place) => {
        this.#relay(line);
        this.#move(place);
      },
      signal,
    );
    const ended = end();
    if (!ended || this.#cursor.told === 'completed') return;
    for (const line of lastLines(ended, words)) this.say(line);
    this.#move({ told: 'completed' });
  }

  #relay({ stream, text, at }: LogLine): void {
    const { launch, logs } = this.order;
    if (stream === 'kernel') {
      if (tellsKernel(this.order)) this.say({ source: logs.source, stream: 'out', text, at });
    } else if (!launch.suppress_output) {
      this.say({ source: launch.log_source, stream: stream === 'stderr' ? 'err' : 'out', text, at });
    }
  }

  get #cursor(): Cursor {
    return this.deps.cursors.get(this.guid) ?? BEGINNING;
  }

  #move(change: Partial<Cursor>): void {
    this.deps.cursors.set(this.guid, { ...this.#cursor, ...change });
  }
}
