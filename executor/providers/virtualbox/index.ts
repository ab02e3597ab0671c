import type { Clock } from '../../../core/clock.js';
import type { Log } from '../../../core/log.js';
import type { Pace } from '../../remote/machine.js';
import { RemoteProvider } from '../../remote/remote.js';
import type { VirtualBoxConfig } from './config.js';
import { VirtualBoxDriver } from './driver.js';

export interface VirtualBoxProviderOptions {
  config: VirtualBoxConfig;
  /** A folder of our own. */
  home: string;
  clock: Clock;
  log: Log;
  pace?: Partial<Pace>;
}

/** The host is near: it may be asked often. */
const NEAR: Partial<Pace> = {
  state_ms: 1_000,
  serial_ms: 300,
  settle_ms: 2_000,
  power_off_ms: 10_000,
  appear_ms: 5_000,
};

/** Machines of VirtualBox on this host. */
export function createVirtualBoxProvider({ pace = {}, ...options }: VirtualBoxProviderOptions): RemoteProvider {
  const { home, clock, log, config } = options;
  const driver = new VirtualBoxDriver({ config, home, clock });
  return new RemoteProvider({ home, clock, log, pace: { ...NEAR, ...pace }, driver });
}
