import type { Pace } from '../../remote/machine.js';
import { RemoteProvider, type RemoteOptions } from '../../remote/remote.js';
import type { OpenStackConfig } from './config.js';
import { OpenStackDriver } from './driver.js';

type OpenStackOptions = RemoteOptions & { config: OpenStackConfig; consistency_ms?: number };

/** Nova looks after machines that powered off by themselves only some 15 seconds later. */
const USUAL: Partial<Pace> = { power_off_ms: 45_000, appear_ms: 20_000 };

/** Machines of an OpenStack cloud. */
export function createOpenStackProvider({ config, consistency_ms, ...options }: OpenStackOptions): RemoteProvider {
  const { home, clock, pace } = options;
  const consistency = consistency_ms === undefined ? {} : { consistency_ms };
  const driver = new OpenStackDriver({ config, home, clock, ...consistency });
  return new RemoteProvider({ ...options, pace: { ...USUAL, ...pace }, driver });
}
