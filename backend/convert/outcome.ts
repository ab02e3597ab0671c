import type { Exit, Instance } from '../../executor/model.js';
import type { Download, Outcome, RunOrder } from '../cell/model.js';
import { checkText, type FailedLook } from './check-text.js';
import { goDuration } from '../../core/go-format.js';
import { failureWords } from './joined.js';
import * as lines from './lines.js';

/** A container whose machine has ended. */
export interface Ended {
  order: Pick<RunOrder, 'launch' | 'programs' | 'health' | 'wrapped' | 'timeout_ms' | 'result_file'>;
  exit: Exit & {
    /** Of `start_timeout` and `unhealthy`: the look that decided it, and which one it was. */
    check?: { failure: FailedLook; attempts: number };
    /** What became of the result file. */
    result?: { content: string } | { error: string };
  };
  instance: Pick<Instance, 'handle' | 'started_at'>;
  /** A stop or delete was asked. */
  stopped: boolean;
  /** It was ended because its time was over. */
  timed_out: boolean;
}

/** BBS and rep cut reasons at 1024 and 10000 characters; cut here as well, so that records stay small. */
const MAX_REASON = 10_000;
/** A process that goes with its machine ends as if killed. */
const KILLED = 137;
const GRACE = '10s';
export const STOPPED_BEFORE_RUNNING = 'stopped-before-running';

/**
 * How it ended, in the words that Diego's executor has for it (`depot/steps`, `storenode.go`). Whether an LRP that
 * ended unasked is a crash does not depend on `failed`: status 0 of a plain program is one without a reason.
 */
export function outcomeOf(end: Ended): Outcome {
  const { exit, order } = end;
  if (exit.reason === 'boot_failed') {
    return end.stopped ? failed(STOPPED_BEFORE_RUNNING) : createFailed(exit.message);
  }
  if (end.stopped) return failed(end.instance.started_at === undefined ? STOPPED_BEFORE_RUNNING : 'cancelled');
  if (end.timed_out) return failed(`exceeded ${goDuration(order.timeout_ms ?? 0)} timeout`);
  const reason = failureOf(end);
  if (reason !== undefined) return failed(reason);
  if (order.result_file === undefined || order.result_file === '') return succeeded();
  const { result } = exit;
  return result && 'content' in result ? succeeded(result.content) : failed('failed to fetch result');
}

function failureOf(end: Ended): string | undefined {
  const { exit, order } = end;
  const why = checkFailure(end) ?? exit.message;
  if (exit.reason === 'start_timeout') {
    return `Instance never healthy after ${goDuration(order.health.start_timeout_ms)}: ${why}`;
  }
  if (exit.reason === 'unhealthy') return `Instance became unhealthy: ${why}`;
  if (order.programs && exit.programs) return failureWords(order.programs, exit.programs, suffixOf(exit));
  const code = statusOf(exit);
  const own = code === 0 ? undefined : `${order.launch.log_source}: Exited with status ${code}${suffixOf(exit)}`;
  return (order.wrapped ?? []).reduce<string | undefined>(
    (reason, step) => (step === 'try' ? undefined : (reason ?? 'Codependent step exited')),
    own,
  );
}

/** What the check that ended it says, with Diego's prefix; undefined when none did. */
export function checkFailure({ exit, order, instance }: Ended): string | undefined {
  if (!exit.check) return undefined;
  const { failure, attempts } = exit.check;
  const textOf = (look: FailedLook): string => checkText(look, instance.handle?.address ?? '127.0.0.1');
  if (failure.check.kind === 'guest') return textOf(failure);
  if (exit.reason === 'unhealthy') return `Liveness check unsuccessful: ${textOf(failure)}`;
  if (exit.reason !== 'start_timeout') return undefined;
  const after = goDuration(order.health.start_timeout_ms);
  const prefix = `Timed out after ${after} (${attempts} attempts) waiting for startup check to succeed: `;
  return [failure, ...(failure.also ?? [])].map((look) => `${prefix}${textOf(look)}`).join('; ');
}

/** The line of the program's own source; undefined when it never ran. */
export function exitLine({ exit, instance, stopped, timed_out }: Ended): string | undefined {
  if (exit.reason === 'boot_failed' || instance.started_at === undefined) return undefined;
  const ended = stopped || timed_out || exit.reason === 'unhealthy' || exit.reason === 'start_timeout';
  const late = ended && exit.code === undefined;
  const grace = late ? ` (exceeded ${GRACE} graceful shutdown interval)` : '';
  return lines.exitStatus(statusOf(exit), `${grace}${suffixOf(exit)}`);
}

function statusOf({ reason, code }: Exit): number {
  // A stop that took the machine's power never told a status.
  return code ?? (reason === 'exited' ? 255 : KILLED);
}

function suffixOf({ reason }: Exit): string {
  if (reason === 'oom') return ' (out of memory)';
  return reason === 'kernel_panic' ? ' (kernel panic)' : '';
}

/** It never came to a machine. A task may be placed anew. */
export function createFailed(message: string): Outcome {
  return { failed: true, reason: `failed to create container: ${message}`.slice(0, MAX_REASON), retryable: true };
}

/** A download that was not to be had. */
export function downloadFailure({ artifact, dependency }: Pick<Download, 'artifact' | 'dependency'>): Outcome {
  if (dependency) return { ...failed('failed to download cached artifacts'), retryable: true };
  return failed(artifact === '' ? 'Downloading failed' : lines.downloadFailed(artifact));
}

/** A download that came and could not be used. */
export function copyFailure({ artifact }: Pick<Download, 'artifact'>, why: string): Outcome {
  return failed(`Copying ${artifact || 'the download'} into the container failed: ${why}`);
}

const failed = (reason: string): Outcome => ({ failed: true, reason: reason.slice(0, MAX_REASON), retryable: false });

const succeeded = (result?: string): Outcome => ({
  ...{ failed: false, reason: '', retryable: false },
  ...(result === undefined ? {} : { result }),
});
