import type { Executor } from '../../executor/executor.js';
import type { LogLine } from '../../executor/model.js';
import type { Cursor } from './cursors.js';

/** A place in a log: after `count` lines of the time `at`. */
export type Place = Pick<Cursor, 'at' | 'count'>;

/**
 * Gives each line after `from` to `tell`, with the place after it, until the log ends. Rejects by the signal.
 */
export async function tail(
  executor: Pick<Executor, 'logs'>,
  logId: string,
  from: Place,
  tell: (line: LogLine, place: Place) => void,
  signal: AbortSignal,
): Promise<void> {
  let { at, count } = from;
  let skip = count;
  for await (const line of executor.logs(logId, { follow: true, since: at }, signal)) {
    if (line.at === from.at && skip > 0) {
      skip--;
      continue;
    }
    count = line.at === at ? count + 1 : 1;
    at = line.at;
    tell(line, { at, count });
  }
}
