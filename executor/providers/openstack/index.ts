import type { Clock } from '../../../core/clock.js';
import type { Log } from '../../../core/log.js';
import type { Pace } from '../../remote/machine.js';
import { RemoteProvider } from '../../remote/remote.js';
import type { OpenStackConfig } from './config.js';
import { OpenStackDriver } from './driver.js';

export interface OpenStackProviderOptions {
  config: OpenStackConfig;
  /** A folder of our own. */
  home: string;
  clock: Clock;
  log: Log;
  pace?: Partial<Pace>;
  consistency_ms?: number;
}

/** Nova looks after machines that powered off by themselves only some 15 seconds later. */
const USUAL: Partial<Pace> = { power_off_ms: 45_000, appear_ms: 20_000 };

/** Machines of an OpenStack cloud. */
export function createOpenStackProvider({
  pace = {},
  consistency_ms,
  ...of
}: OpenStackProviderOptions): RemoteProvider {
  const { config, home, clock, log } = of;
  const consistency = consistency_ms === undefined ? {} : { consistency_ms };
  const driver = new OpenStackDriver({ config, home, clock, ...consistency });
  return new RemoteProvider({ home, clock, log, pace: { ...USUAL, ...pace }, driver });
}
