/** Carries deployments on, by level: each look takes the next step of each, so that a crash loses nothing. */
import type { Clock } from '../../../core/clock.js';
import { messageOf } from '../../../core/errors.js';
import type { Log } from '../../../core/log.js';
import { cancelDeployment, finishDeployment, nextMove } from '../actions/deployments.js';
import type { Deployment, Process } from '../model.js';
import { timeOf, type Store } from '../store.js';

export interface DeployerOptions {
  store: Store;
  routable: (process: Process) => Promise<number>;
  clock: Clock;
  log: Log;
  /** Milliseconds between looks while a deployment goes on. */
  period_ms?: number;
}

export function startDeployer(options: DeployerOptions): { close(): Promise<void> } {
  const { store, clock, log, period_ms = 500 } = options;
  const stopping = new AbortController();
  const isStopping = (): boolean => stopping.signal.aborted;
  const running = (async () => {
    while (!isStopping()) {
      for (const { guid } of store.deployment.filter(({ status_value }) => status_value === 'ACTIVE')) {
        await step(options, guid).catch((err: unknown) => {
          if (!isStopping()) log.warn({ deployment: guid, reason: messageOf(err) }, 'deployer.step-failed');
        });
      }
      await clock.sleep(period_ms, stopping.signal).catch(() => undefined);
    }
  })();
  return {
    async close() {
      stopping.abort();
      await running;
    },
  };
}

async function step({ store, routable, clock, log }: DeployerOptions, guid: string): Promise<void> {
  const before = active(store, guid);
  const process = before && store.process.get(before.process_guid ?? '');
  if (!before) return;
  if (!process || store.app.get(before.app_guid)?.state !== 'STARTED') {
    // Its app was stopped meanwhile, or the process is gone: there is nothing to shift.
    store.change((tx) =>
      process ? finishDeployment({ store, clock }, tx, before) : cancelDeployment({ store, clock }, tx, before),
    );
    return;
  }
  const count = await routable(process);
  store.change((tx) => {
    const deployment = active(store, guid);
    const current = store.process.get(process.guid);
    if (!deployment || !current) return;
    const olds = store.process.filter(
      (one) => one.app_guid === deployment.app_guid && one.type === 'web' && one.guid !== current.guid,
    );
    const move = nextMove({ deployment, current, olds, running: Math.min(count, current.instances) });
    if (move.kind === 'wait') return;
    log.info({ deployment: guid, running: count, move: move.kind }, 'deployer.step');
    if (move.kind === 'finish') finishDeployment({ store, clock }, tx, deployment);
    else if (move.kind === 'pause') {
      tx.update('deployment', guid, {
        state: 'PAUSED',
        status_reason: 'PAUSED',
        last_status_change: timeOf(clock.now()),
      });
    } else {
      if (move.instances !== current.instances) tx.update('process', current.guid, { instances: move.instances });
      for (const { guid: old, instances } of move.olds) tx.update('process', old, { instances });
    }
  });
}

function active(store: Store, guid: string): Deployment | undefined {
  const row = store.deployment.get(guid);
  return row?.status_value === 'ACTIVE' ? row : undefined;
}
