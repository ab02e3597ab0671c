import type { Clock } from '../../../core/clock.js';
import type { Log } from '../../../core/log.js';
import type { Pace } from '../../remote/machine.js';
import { RemoteProvider } from '../../remote/remote.js';
import type { VSphereConfig } from './config.js';
import { VSphereDriver } from './driver.js';

export interface VSphereProviderOptions {
  config: VSphereConfig;
  /** A folder of our own. */
  home: string;
  clock: Clock;
  log: Log;
  pace?: Partial<Pace>;
}

/** vCenter answers for many hosts. */
const USUAL: Partial<Pace> = {
  state_ms: 2_000,
  serial_ms: 1_000,
  settle_ms: 5_000,
  power_off_ms: 15_000,
  appear_ms: 10_000,
};

/** Machines of vSphere. */
export function createVSphereProvider({ pace = {}, ...options }: VSphereProviderOptions): RemoteProvider {
  const { home, clock, log, config } = options;
  const driver = new VSphereDriver({ config, home, clock });
  return new RemoteProvider({ home, clock, log, pace: { ...USUAL, ...pace }, driver });
}
