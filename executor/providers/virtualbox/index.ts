import type { Pace } from '../../remote/machine.js';
import { RemoteProvider, type RemoteOptions } from '../../remote/remote.js';
import type { VirtualBoxConfig } from './config.js';
import { VirtualBoxDriver } from './driver.js';

/** The host is near: it may be asked often. */
const NEAR: Partial<Pace> = {
  state_ms: 1_000,
  serial_ms: 300,
  settle_ms: 2_000,
  power_off_ms: 10_000,
  appear_ms: 5_000,
};

/** Machines of VirtualBox on this host. */
export function createVirtualBoxProvider({
  config,
  ...options
}: RemoteOptions & { config: VirtualBoxConfig }): RemoteProvider {
  const { home, clock, pace } = options;
  const driver = new VirtualBoxDriver({ config, home, clock });
  return new RemoteProvider({ ...options, pace: { ...NEAR, ...pace }, driver });
}
