import type { Clock, Millis } from '../../core/clock.js';
import type { LogConfig } from '../cell/model.js';
import { createRateLimit } from './limit.js';
import { messagesOf } from './messages.js';
import type { LogStream, Sink } from './sink.js';

/** A line about a container. Without a source it is the cell's own word, which no rate limit holds back. */
export interface Line {
  source?: string;
  text: string;
  stream: LogStream;
  /** Now unless given. */
  at?: Millis;
}

/** All that is said about one container, to who reads its application's log. */
export class Voice {
  /** Its tags may change while the container runs. */
  config: LogConfig;
  readonly #limit: ReturnType<typeof createRateLimit>;

  constructor(
    config: LogConfig,
    private readonly sink: Sink,
    private readonly clock: Clock,
  ) {
    this.config = config;
    this.#limit = createRateLimit(config.bytes_per_second);
  }

  say({ source, text, stream, at }: Line): void {
    // Nobody to tell it to.
    if (this.config.guid === '') return;
    const now = this.clock.now();
    for (const message of messagesOf(text)) {
      const verdict = source === undefined ? 'pass' : this.#limit(Buffer.byteLength(message), now);
      if (verdict !== 'drop')
        this.#send(source ?? this.config.source, verdict, { stream, text: message, at: at ?? now });
    }
  }

  #send(source: string, verdict: 'pass' | 'notice', line: { stream: LogStream; text: string; at: Millis }): void {
    const { config, sink } = this;
    const text = `app instance exceeded log rate limit (${config.bytes_per_second} bytes/sec)`;
    sink.log(config, verdict === 'pass' ? { source, ...line } : { source, stream: 'out', text, at: line.at });
  }
}
