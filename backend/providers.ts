import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../core/clock.js';
import { UnikError } from '../core/errors.js';
import type { Log } from '../core/log.js';
import type { NetworkMode, ProviderName } from '../executor/model.js';
import { providers as factories } from '../executor/providers/index.js';
import type { Provider } from '../executor/providers/provider.js';
import { QemuProvider } from '../executor/providers/qemu/qemu.js';
import { virtualboxConfigSchema } from '../executor/providers/virtualbox/config.js';
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
    const { guest_subnet: guest, link_subnet: link } = config.network;
    return new QemuProvider({
      home,
      clock: systemClock,
      log,
      path: process.env['PATH'] ?? '',
      subnets: { guest, link },
    });
  }
  if (name === 'fake') return factories.fake({ dir: join(home, 'providers', name), clock: systemClock, log });
  const common = { home: join(home, 'providers', name), clock: systemClock, log };
  await mkdir(common.home, { recursive: true, mode: 0o700 });
  const options = config.provider_options;
  const missing = (): UnikError =>
    new UnikError('config_invalid', `provider_options.${name}: provider ${name} needs to be told where and as whom`);
  if (name === 'aws') {
    if (!options.aws) throw missing();
    return factories.aws({ ...common, config: options.aws });
  }
  if (name === 'vsphere') {
    if (!options.vsphere) throw missing();
    return factories.vsphere({ ...common, config: options.vsphere });
  }
  if (name === 'virtualbox') {
    return factories.virtualbox({ ...common, config: options.virtualbox ?? virtualboxConfigSchema.parse({}) });
  }
  const known = Object.keys(factories).join(', ');
  throw new UnikError('config_invalid', `provider: this version has no provider ${name}; it has: ${known}`);
}

/** The best network that works here. */
export async function networkFor(provider: Provider): Promise<NetworkMode> {
  if (provider.chooseNetwork) return (await provider.chooseNetwork()).mode;
  const [best = 'none'] = provider.capabilities.network;
  return provider.capabilities.network.includes('isolated') ? 'isolated' : best;
}
