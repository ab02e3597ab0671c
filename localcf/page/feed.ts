import type { Response } from 'express';
import type { PageLine, PageSource } from './source.js';

/** Between two messages to a browser. */
const PACE_MS = 150;
/** Also without a change: memory and the like. */
const REFRESH_MS = 2_000;
/** Of one instance, in one message. */
const MOST_LINES = 200;
/** A browser that does not read is let go. */
const MOST_UNREAD = 8 << 20;

/**
 * Server-sent events: `state` (a PageState, when it changed) and `lines` (PageLine[]), both paced, so that a noisy
 * machine costs the browser no more than a quiet one. Ends when the browser goes.
 */
export class Feed {
  readonly #ends: (() => void)[] = [];
  #lines: PageLine[] = [];
  #stale = true;
  #last = '';
  #busy = false;

  constructor(
    private readonly source: PageSource,
    private readonly response: Response,
    private readonly failed: (err: unknown) => void,
  ) {}

  async start(): Promise<void> {
    const { response, source } = this;
    response.set({ 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.flushHeaders();
    response.on('close', () => this.#end());
    this.#ends.push(source.onLine((line) => void this.#lines.push(line)));
    this.#ends.push(source.onChange(() => (this.#stale = true)));
    this.#lines.unshift(...(await source.recentLines()));
    const pace = setInterval(() => void this.#turn(), PACE_MS);
    const refresh = setInterval(() => (this.#stale = true), REFRESH_MS);
    this.#ends.push(
      () => clearInterval(pace),
      () => clearInterval(refresh),
    );
    if (response.closed) this.#end();
    else await this.#turn();
  }

  async #turn(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      if (this.#stale) await this.#sendState();
      this.#sendLines();
      if (this.response.writableLength > MOST_UNREAD) this.response.destroy();
    } catch (err) {
      this.failed(err);
      this.response.end();
    } finally {
      this.#busy = false;
    }
  }

  async #sendState(): Promise<void> {
    this.#stale = false;
    const text = JSON.stringify(await this.source.state());
    if (text === this.#last) return;
    this.#last = text;
    this.#send('state', text);
  }

  #sendLines(): void {
    if (this.#lines.length === 0) return;
    const lines = newest(this.#lines, MOST_LINES);
    this.#lines = [];
    this.#send('lines', JSON.stringify(lines));
  }

  #send(event: string, data: string): void {
    if (!this.response.closed) this.response.write(`event: ${event}\ndata: ${data}\n\n`);
  }

  #end(): void {
    for (const end of this.#ends.splice(0)) end();
  }
}

/** Pure: at most `most` lines of each console, the newest ones, in the order they came. */
export function newest(lines: readonly PageLine[], most: number): PageLine[] {
  const counts = new Map<string, number>();
  const kept: PageLine[] = [];
  for (const line of lines.toReversed()) {
    const console = line.instance ?? line.app;
    const count = (counts.get(console) ?? 0) + 1;
    counts.set(console, count);
    if (count <= most) kept.push(line);
  }
  return kept.reverse();
}
