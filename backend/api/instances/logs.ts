import type { LogLine, StreamName } from '../../../executor/model.js';
import type { Executor } from '../../../executor/executor.js';
import type { Board } from './board.js';

export interface LogsOptions {
  follow: boolean;
  tail?: number | undefined;
  since?: number | undefined;
  kernel: boolean;
}

/** Lines of an app across its restarts. Following ends when the app has ended and nothing will start it again. */
export async function* appLogs(
  parts: { board: Board; executor: Executor },
  ref: string,
  options: LogsOptions,
  signal: AbortSignal,
): AsyncGenerator<LogLine> {
  const { board, executor } = parts;
  const app = board.find(ref);
  const streams: StreamName[] = options.kernel ? ['kernel', 'stdout', 'stderr'] : ['stdout', 'stderr'];
  const query = {
    streams,
    ...(options.tail !== undefined ? { tail: options.tail } : {}),
    ...(options.since !== undefined ? { since: options.since } : {}),
  };
  const close = board.openReader(app);
  try {
    let key = board.bootedKey(app);
    yield* executor.logs(app.id, { ...query, follow: options.follow && key !== undefined }, signal);
    while (options.follow && !signal.aborted) {
      key = await board.nextMachine(app, key, signal);
      if (key === undefined) return;
      // The lines of earlier machines were given: go on where this one began.
      yield* executor.logs(app.id, { streams, since: app.started_at ?? 0, follow: true }, signal);
    }
  } finally {
    close();
  }
}
