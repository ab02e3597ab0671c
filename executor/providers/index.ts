import type { Clock } from '../../core/clock.js';
import type { Log } from '../../core/log.js';
import type { ProviderName } from '../model.js';
import type { Provider } from './provider.js';

/** What every provider is made of; each takes its own settings besides. */
export interface ProviderParts {
  /** A folder of its own. */
  dir: string;
  clock: Clock;
  log: Log;
}

/** Each is loaded when it is asked for, so that a cell pays only for what it uses. */
export const providers = {
  fake: async (parts: ProviderParts): Promise<Provider> => {
    const { createFakeProvider } = await import('./fake/index.js');
    return createFakeProvider(parts);
  },
} as const satisfies Partial<Record<ProviderName, (parts: ProviderParts) => Promise<Provider>>>;
