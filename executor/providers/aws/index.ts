import type { Clock } from '../../../core/clock.js';
import type { Log } from '../../../core/log.js';
import type { Pace } from '../../remote/machine.js';
import { RemoteProvider } from '../../remote/remote.js';
import type { AwsConfig } from './config.js';
import { AwsDriver } from './driver.js';

export interface AwsProviderOptions {
  config: AwsConfig;
  /** A folder of our own. */
  home: string;
  clock: Clock;
  log: Log;
  pace?: Partial<Pace>;
  consistency_ms?: number;
}

/** Machines at Amazon's EC2. */
export function createAwsProvider(options: AwsProviderOptions): RemoteProvider {
  const { config, home, clock, log, pace = {}, consistency_ms } = options;
  const consistency = consistency_ms === undefined ? {} : { consistency_ms };
  return new RemoteProvider({ home, clock, log, pace, driver: new AwsDriver({ config, home, clock, ...consistency }) });
}
