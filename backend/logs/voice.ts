import type { Clock, Millis } from '../../core/clock.js';
import type { LogConfig } from '../cell/model.js';
import { createRateLimit } from './limit.js';
import { messagesOf } from './messages.js';
import type { LogStream, Sink } from './sink.js';

/** All that is said about one container, to who reads its application's log. */
export interface Voice {
  /** A line of the cell about the container's life: never limited. */
  cell(text: string, stream?: LogStream): void;
  /** Any other line; what goes over the rate limit is dropped. `at`: now unless given. */
  line(line: { source: string; stream: LogStream; text: string; at?: Millis }): void;
}

export function createVoice(config: LogConfig, sink: Sink, clock: Clock): Voice {
  // Nobody to tell it to.
  if (config.guid === '') return { cell: () => undefined, line: () => undefined };
  const limit = createRateLimit(config.bytes_per_second);
  const send = (source: string, stream: LogStream, text: string, at: Millis): void =>
    sink.log(config, { source, stream, text, at });
  return {
    cell(text, stream = 'out') {
      for (const message of messagesOf(text)) send(config.source, stream, message, clock.now());
    },
    line({ source, stream, text, at = clock.now() }) {
      for (const message of messagesOf(text)) {
        const verdict = limit(Buffer.byteLength(message), clock.now());
        if (verdict === 'pass') send(source, stream, message, at);
        if (verdict === 'notice') {
          const notice = `app instance exceeded log rate limit (${config.bytes_per_second} bytes/sec)`;
          send(source, 'out', notice, at);
        }
      }
    },
  };
}
