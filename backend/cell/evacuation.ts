/** Emptying the cell (rep `evacuation/evacuator.go`, `evacuation_cleanup.go`): replaced elsewhere first, then gone. */
import type { Clock } from '../../core/clock.js';
import { messageOf } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import type { Reconciler } from '../reconcile/loop.js';
import type { Containers } from './containers.js';
import type { Container } from './model.js';

export interface EvacuationOptions {
  reconciler: Pick<Reconciler, 'evacuate' | 'pass' | 'idle'>;
  containers: Containers;
  clock: Clock;
  log: Log;
  /** So long an instance may wait for its replacement: 600 s. */
  timeout_ms: number;
  /** So long the ends of what is left may take together. */
  grace_ms: number;
  /** It is ended without a replacement. */
  onTimeout: (container: Container) => void;
}

const LOOK_MS = 500;

/** Resolves when the cell is empty and the BBS knows. Rejects only when `signal` fires. */
export async function evacuate(options: EvacuationOptions, signal: AbortSignal): Promise<void> {
  const { reconciler, containers, clock, log, timeout_ms, grace_ms, onTimeout } = options;
  const began = clock.now();
  log.info({ containers: containers.list().length }, 'cell.evacuating');
  reconciler.evacuate();
  if (await emptied(options, began + timeout_ms, signal)) {
    log.info({ duration_ms: clock.now() - began }, 'cell.evacuated');
    return;
  }
  const late = containers.list();
  log.warn({ containers: late.length }, 'cell.evacuation-timed-out');
  for (const container of late) {
    onTimeout(container);
    containers.delete(container.reservation.guid).catch((err: unknown) => {
      log.warn({ guid: container.reservation.guid, reason: messageOf(err) }, 'cell.delete-failed');
    });
  }
  await emptied(options, clock.now() + grace_ms, signal);
  // Rows of what was ended just now. A machine that does not end is no reason to stay.
  await Promise.race([reconciler.pass(), clock.sleep(grace_ms, signal)]);
}

async function emptied({ containers, clock }: EvacuationOptions, until: number, signal: AbortSignal): Promise<boolean> {
  while (containers.list().length > 0) {
    if (clock.now() >= until) return false;
    await clock.sleep(LOOK_MS, signal);
  }
  return true;
}
