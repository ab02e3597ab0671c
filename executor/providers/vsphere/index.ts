import type { Pace } from '../../remote/machine.js';
import { RemoteProvider, type RemoteOptions } from '../../remote/remote.js';
import type { VSphereConfig } from './config.js';
import { VSphereDriver } from './driver.js';

/** vCenter answers for many hosts. */
const USUAL: Partial<Pace> = {
  state_ms: 2_000,
  serial_ms: 1_000,
  settle_ms: 5_000,
  power_off_ms: 15_000,
  appear_ms: 10_000,
};

/** Machines of vSphere. */
export function createVSphereProvider({
  config,
  ...options
}: RemoteOptions & { config: VSphereConfig }): RemoteProvider {
  const { home, clock, pace } = options;
  const driver = new VSphereDriver({ config, home, clock });
  return new RemoteProvider({ ...options, pace: { ...USUAL, ...pace }, driver });
}
