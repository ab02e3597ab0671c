import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../core/clock.js';
import { UnikError } from '../core/errors.js';
import type { Log } from '../core/log.js';
import type { NetworkMode, ProviderName } from '../executor/model.js';
import { elsewhere, providers } from '../executor/providers/index.js';
import type { Provider } from '../executor/providers/provider.js';
import { QemuProvider } from '../executor/providers/qemu/qemu.js';
import type { Config } from './config.js';

export interface ProviderSet {
  map: ReadonlyMap<ProviderName, Provider>;
  /** Throws provider_unknown listing those there are. */
  get(name: ProviderName): Provider;
  close(): void;
}

/** What providers are made from. */
export type ProviderConfig = Pick<Config, 'home' | 'provider' | 'providers' | 'network' | 'provider_options'>;

/** The configured ones. One that cannot work here still serves its probe, so the others are not taken down by it. */
export async function makeProviders(config: ProviderConfig, log: Log): Promise<ProviderSet> {
  const map = new Map<ProviderName, Provider>();
  for (const name of new Set([config.provider, ...config.providers])) map.set(name, await make(name, config, log));
  return {
    map,
    get: (name) => {
      const provider = map.get(name);
      if (provider) return provider;
      throw new UnikError(
        'provider_unknown',
        `this daemon has no provider ${name}; it has: ${[...map.keys()].join(', ')}`,
      );
    },
    close: () => {
      for (const provider of map.values()) provider.close?.();
    },
  };
}

async function make(name: ProviderName, config: ProviderConfig, log: Log): Promise<Provider> {
  const { home } = config;
  if (name === 'qemu') {
    const { guest_subnet: guest, link_subnet: link, bridge } = config.network;
    return new QemuProvider({
      home,
      clock: systemClock,
      log,
      path: process.env['PATH'] ?? '',
      subnets: { guest, link },
      bridge,
    });
  }
  const folder = join(home, 'providers', name);
  if (name === 'fake') return providers.fake({ dir: folder, clock: systemClock, log });
  const found = Object.entries(elsewhere).find(([known]) => known === name)?.[1];
  if (!found) {
    const known = [...Object.keys(providers), ...Object.keys(elsewhere)].join(', ');
    throw new UnikError('config_invalid', `provider: this version has no provider ${name}; it has: ${known}`);
  }
  const told: Partial<Record<string, unknown>> = config.provider_options;
  // Some need not be told anything.
  const options = told[name] ?? {};
  if (!found.schema.safeParse(options).success) {
    throw new UnikError(
      'config_invalid',
      `provider_options.${name}: provider ${name} needs to be told where and as whom`,
    );
  }
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return found.make(options, { home: folder, clock: systemClock, log });
}

/** The best network that works here. */
export async function networkFor(provider: Provider): Promise<NetworkMode> {
  if (provider.chooseNetwork) return (await provider.chooseNetwork()).mode;
  const [best = 'none'] = provider.capabilities.network;
  return provider.capabilities.network.includes('isolated') ? 'isolated' : best;
}
