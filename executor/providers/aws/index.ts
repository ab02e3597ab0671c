import { RemoteProvider, type RemoteOptions } from '../../remote/remote.js';
import type { AwsConfig } from './config.js';
import { AwsDriver } from './driver.js';

type AwsOptions = RemoteOptions & { config: AwsConfig; consistency_ms?: number };

/** Machines at Amazon's EC2. */
export function createAwsProvider({ config, consistency_ms, ...options }: AwsOptions): RemoteProvider {
  const { home, clock } = options;
  const consistency = consistency_ms === undefined ? {} : { consistency_ms };
  return new RemoteProvider({ ...options, driver: new AwsDriver({ config, home, clock, ...consistency }) });
}
