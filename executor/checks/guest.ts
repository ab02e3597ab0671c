import type { MachineHandle } from '../model.js';
import type { Provider } from '../providers/provider.js';
import type { Finding } from './check.js';

/** What the machine's own monitor said last. One that has said nothing yet has not passed. */
export async function checkGuest(provider: Provider, handle: MachineHandle): Promise<Finding | undefined> {
  const passing = await provider.monitorPasses?.(handle);
  return passing === true ? undefined : { why: 'failed', message: 'the monitor in the machine does not pass' };
}
