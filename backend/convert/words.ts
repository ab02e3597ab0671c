import { instanceEnv } from './env.js';
import * as lines from './lines.js';
import { checkFailure, exitLine, outcomeOf, STOPPED_BEFORE_RUNNING } from './outcome.js';

/** Everything a cell says of its containers, under the cell's id. */
export function createWords(cell_id: string) {
  return {
    outcome: outcomeOf,
    instanceEnv,
    checkFailure,
    exitStatus: exitLine,
    creating: (guid: string) => lines.creating(cell_id, guid),
    created: (guid: string) => lines.created(cell_id, guid),
    failedToCreate: (guid: string, why: string) => lines.failedToCreate(cell_id, guid, why),
    stopping: (guid: string) => lines.stopping(cell_id, guid),
    destroying: (guid: string) => lines.destroying(cell_id, guid),
    destroyed: (guid: string) => lines.destroyed(cell_id, guid),
    failedToDestroy: (guid: string) => lines.failedToDestroy(cell_id, guid),
    downloading: lines.downloading,
    downloaded: lines.downloaded,
    monitoring: lines.MONITORING,
    readinessMonitoring: lines.READINESS_MONITORING,
    healthy: lines.HEALTHY,
    unhealthy: lines.UNHEALTHY,
    neverHealthy: lines.neverHealthy,
    ready: lines.READY,
    notReady: lines.NOT_READY,
    stoppedBeforeRunning: STOPPED_BEFORE_RUNNING,
    expired: 'expired container',
  } as const;
}
