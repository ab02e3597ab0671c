import type { Clock } from '../core/clock.js';
import { UnikError } from '../core/errors.js';
import type { Provider } from './providers/provider.js';

/** A probe makes namespaces and starts programs, or asks a cloud: what was well is taken to be well for so long. */
const WELL_MS = 30_000;

/** Passes when the provider can run machines. Throws provider_unavailable. */
export function openHealth(clock: Clock): (provider: Provider, signal: AbortSignal) => Promise<void> {
  const probed = new Map<Provider, number>();
  return async (provider, signal) => {
    const age = clock.now() - (probed.get(provider) ?? -Infinity);
    if (age >= 0 && age < WELL_MS) return;
    const { healthy, summary } = await provider.probe(signal);
    if (!healthy) throw new UnikError('provider_unavailable', `provider ${provider.name}: ${summary}`);
    probed.set(provider, clock.now());
  };
}
