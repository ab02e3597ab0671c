import type { Pace } from '../../remote/machine.js';
import { RemoteProvider, type RemoteOptions } from '../../remote/remote.js';
import type { ArmConfig } from './config.js';
import { ArmDriver } from './driver.js';

/** The boards are near: they may be asked often. */
const NEAR: Partial<Pace> = {
  state_ms: 1_000,
  serial_ms: 300,
  settle_ms: 3_000,
  power_off_ms: 10_000,
  appear_ms: 5_000,
};

/** Boards that boot from the network. */
export function createArmProvider({ config, ...options }: RemoteOptions & { config: ArmConfig }): RemoteProvider {
  const { home, clock, log, pace } = options;
  const driver = new ArmDriver({ config, home, clock, log });
  return new RemoteProvider({ ...options, pace: { ...NEAR, ...pace }, driver });
}
