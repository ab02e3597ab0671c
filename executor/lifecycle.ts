/**
 * The life of one instance, as a pure function: state and event in, state and effects out.
 *
 *             run              machine_started         check_passed
 *  reserved ------> initializing ------------> created ------------> running
 *     |                  |                        |  |                  |  |
 *     | stop             | start_failed           |  | machine_exited   |  |
 *     |                  |                        |  +---------------+  |  | machine_exited
 *     v                  v                        |                  v  |  v
 *  completed <-----------+                        |              completed |
 *                                                 |                        |
 *          stop, start_timeout, check_failed: ask the machine to end ------+
 *
 * Only a machine that is known to have ended, or never to have started, completes an instance: a stop while it is
 * being started waits for the start to come back, so that no machine is lost. `completed` is final; what remains of
 * the machine is then cleared away, and `cleared` drops the handle. An event that does not fit is counted and ignored.
 * Phases and their order are those of Diego's executor (code.cloudfoundry.org/executor, `resources.go`).
 */
import type { ErrorCode } from '../core/errors.js';
import type { ExecutorEvent } from './executor.js';
import type { Exit, Instance, MachineHandle } from './model.js';
import type { MachineExit } from './providers/provider.js';

export type InstanceEvent =
  | { type: 'run' }
  | { type: 'machine_started'; handle: MachineHandle }
  | { type: 'start_failed'; error: ErrorCode; message: string }
  | { type: 'check_passed' }
  | { type: 'start_timeout'; message: string; check?: Exit['check'] }
  | { type: 'check_failed'; message: string; check?: Exit['check'] }
  | { type: 'readiness_changed'; ready: boolean }
  | { type: 'stop'; grace_ms: number }
  | { type: 'machine_exited'; exit: MachineExit }
  /** Our process came back; `handle`: what the provider still knows of the machine. */
  | { type: 'recovered'; handle?: MachineHandle }
  /** Nothing of the machine is left. */
  | { type: 'cleared' };

export type Effect =
  | { do: 'boot' }
  /** Fires the boot's signal; `machine_started` or `start_failed` still follows. */
  | { do: 'call_off_boot' }
  /** Wait for the machine's end and read its console. */
  | { do: 'watch'; handle: MachineHandle }
  | { do: 'await_startup'; handle: MachineHandle }
  | { do: 'watch_health'; handle: MachineHandle }
  | { do: 'end_checks' }
  | { do: 'halt'; handle: MachineHandle; grace_ms: number }
  /** Read the console to its end, then destroy the machine; `cleared` follows. */
  | { do: 'clear'; handle: MachineHandle }
  | { do: 'announce'; type: Exclude<ExecutorEvent['type'], 'removed'> };

export interface Step {
  next: Instance;
  effects: readonly Effect[];
}

/** What `event` at time `at` (epoch milliseconds) makes of `now`. */
export function step(now: Instance, event: InstanceEvent, at: number): Step {
  switch (event.type) {
    case 'run':
      if (now.phase !== 'reserved') return ignored(now);
      return go({ ...now, phase: 'initializing' }, announce('initializing'), { do: 'boot' });

    case 'machine_started':
      // A machine nobody waits for any more must go.
      if (now.phase === 'completed' && !now.handle) {
        return go({ ...now, handle: event.handle }, { do: 'clear', handle: event.handle });
      }
      return now.phase === 'initializing' ? started(now, event.handle, at) : ignored(now);

    case 'start_failed':
      if (now.phase !== 'initializing') return ignored(now);
      return complete(now, { reason: 'boot_failed', error: event.error, message: event.message }, at);

    case 'check_passed': {
      if (now.phase !== 'created' || !now.handle || isEnding(now)) return ignored(now);
      const ready = !now.spec.health.readiness;
      const next: Instance = { ...now, phase: 'running', running_at: at, ready };
      const effects = ready ? [announce('running'), announce('ready')] : [announce('running')];
      return go(next, ...effects, { do: 'watch_health', handle: now.handle });
    }

    case 'start_timeout':
      return now.phase === 'created' ? end(now, endingBy('start_timeout', event)) : ignored(now);

    case 'check_failed':
      return now.phase === 'running' ? end(now, endingBy('unhealthy', event)) : ignored(now);

    case 'readiness_changed':
      if (now.phase !== 'running' || now.ready === event.ready) return ignored(now);
      return go({ ...now, ready: event.ready }, announce(event.ready ? 'ready' : 'unready'));

    case 'stop':
      return stop(now, event.grace_ms, at);

    case 'machine_exited':
      return now.phase === 'created' || now.phase === 'running' ? complete(now, event.exit, at) : ignored(now);

    case 'recovered':
      return recover(now, event.handle, at);

    case 'cleared': {
      if (now.phase !== 'completed' || !now.handle) return ignored(now);
      const { handle: _gone, ...next } = now;
      return go(next);
    }
  }
}

/** True once the instance is on its way out. */
export function isEnding(instance: Instance): boolean {
  return instance.stop_requested || instance.ending !== undefined;
}

function started(now: Instance, handle: MachineHandle, at: number): Step {
  const next: Instance = { ...now, phase: 'created', handle, started_at: at };
  return go(next, announce('created'), ...lookAfter(next, handle));
}

/** Takes up the life where the last process left it. */
function recover(now: Instance, handle: MachineHandle | undefined, at: number): Step {
  switch (now.phase) {
    case 'reserved':
      return step(now, { type: 'run' }, at);
    case 'initializing':
      // A machine without a recorded handle was started just before we went; without one the boot is repeated.
      if (handle) return started(now, handle, at);
      if (!now.stop_requested) return go(now, { do: 'boot' });
      return complete(now, { reason: 'stopped', message: 'stopped before it was started' }, at);
    case 'created':
    case 'running':
      if (handle) return go({ ...now, handle }, ...lookAfter(now, handle));
      return complete(now, { reason: 'killed', message: 'the machine was gone when unik came back' }, at);
    case 'completed':
      return now.handle ? go(now, { do: 'clear', handle: now.handle }) : ignored(now);
  }
}

function stop(now: Instance, grace_ms: number, at: number): Step {
  const next: Instance = { ...now, stop_requested: true };
  switch (now.phase) {
    case 'reserved':
      return complete(next, { reason: 'stopped', message: 'stopped before it was started' }, at);
    case 'initializing':
      return go(next, { do: 'call_off_boot' });
    case 'created':
    case 'running':
      // Asked again: the provider takes the shorter grace.
      return now.handle ? go(next, { do: 'end_checks' }, halt(now.handle, grace_ms)) : ignored(now);
    case 'completed':
      return ignored(now);
  }
}

function endingBy(
  reason: Exit['reason'],
  { message, check }: { message: string; check?: Exit['check'] },
): NonNullable<Instance['ending']> {
  return { reason, message, ...(check ? { check } : {}) };
}

/** We want the machine to end; it completes when it has. */
function end(now: Instance, ending: NonNullable<Instance['ending']>): Step {
  if (!now.handle || isEnding(now)) return ignored(now);
  const effects = now.ready ? [announce('unready')] : [];
  const next: Instance = { ...now, ending, ready: false };
  return go(next, ...effects, { do: 'end_checks' }, halt(now.handle, now.spec.grace_ms));
}

function complete(now: Instance, how: Omit<Exit, 'at'>, at: number): Step {
  // Out of memory is why the check failed, when both are known.
  const decided = how.reason === 'oom' ? undefined : now.ending;
  const ending = now.stop_requested ? ({ reason: 'stopped' } as const) : decided;
  const exit: Exit = { ...how, ...ending, at };
  const next: Instance = { ...now, phase: 'completed', ready: false, exit, completed_at: at };
  const clear: Effect[] = now.handle ? [{ do: 'clear', handle: now.handle }] : [];
  return go(next, { do: 'end_checks' }, announce('completed'), ...clear);
}

/** Everything that looks after a living machine. */
function lookAfter(now: Instance, handle: MachineHandle): Effect[] {
  const watch: Effect = { do: 'watch', handle };
  if (isEnding(now)) return [watch, halt(handle, now.spec.grace_ms)];
  return [watch, now.phase === 'running' ? { do: 'watch_health', handle } : { do: 'await_startup', handle }];
}

const halt = (handle: MachineHandle, grace_ms: number): Effect => ({ do: 'halt', handle, grace_ms });
const announce = (type: Exclude<ExecutorEvent['type'], 'removed'>): Effect => ({ do: 'announce', type });
const go = (next: Instance, ...effects: Effect[]): Step => ({ next, effects });
const ignored = (now: Instance): Step => go({ ...now, ignored_events: now.ignored_events + 1 });
