import type { Clock } from '../../../core/clock.js';
import type { Log } from '../../../core/log.js';
import type { Pace } from '../../remote/machine.js';
import { RemoteProvider } from '../../remote/remote.js';
import type { ArmConfig } from './config.js';
import { ArmDriver } from './driver.js';

export interface ArmProviderOptions {
  config: ArmConfig;
  /** A folder of our own: the inventory's state is here, so no second process may use it. */
  home: string;
  clock: Clock;
  log: Log;
  pace?: Partial<Pace>;
}

/** The boards are near: they may be asked often. */
const NEAR: Partial<Pace> = {
  state_ms: 1_000,
  serial_ms: 300,
  settle_ms: 3_000,
  power_off_ms: 10_000,
  appear_ms: 5_000,
};

/** Boards that boot from the network. */
export function createArmProvider({ pace = {}, ...options }: ArmProviderOptions): RemoteProvider {
  const { home, clock, log } = options;
  const driver = new ArmDriver(options);
  return new RemoteProvider({ home, clock, log, pace: { ...NEAR, ...pace }, driver });
}
