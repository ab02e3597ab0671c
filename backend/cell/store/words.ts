import type { Exit, Instance } from '../../../executor/model.js';
import type { NetInfo, Outcome, Reservation, RunOrder } from '../model.js';

/** How a container is spoken of: to the BBS, to who reads its log, and to the application itself. All pure. */
export interface Words {
  /** How it ended, once its machine has. */
  outcome(end: EndedContainer): Outcome;
  /** The order's environment and what depends on where the machine is. */
  instanceEnv(order: RunOrder, net: NetInfo): Record<string, string>;
  creating(guid: string): string;
  created(guid: string): string;
  failedToCreate(guid: string, why: string): string;
  downloading(artifact: string): string;
  downloaded(artifact: string, bytes: number): string;
  monitoring: string;
  readinessMonitoring: string;
  healthy: string;
  ready: string;
  notReady: string;
  unhealthy: string;
  neverHealthy(after_ms: number): string;
  /** What the check that ended it says; undefined when none did. */
  checkFailure(end: EndedContainer): string | undefined;
  /** Undefined when the application never ran. */
  exitStatus(end: EndedContainer): string | undefined;
  stopping(guid: string): string;
  destroying(guid: string): string;
  destroyed(guid: string): string;
  failedToDestroy(guid: string): string;
  stoppedBeforeRunning: string;
  expired: string;
}

export interface EndedContainer {
  order: RunOrder;
  reservation: Reservation;
  exit: Exit;
  /** The machine as it was. */
  instance: Instance;
  /** A stop or delete was asked. */
  stopped: boolean;
  /** It was ended because its time was over. */
  timed_out: boolean;
}
