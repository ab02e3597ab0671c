import type { z } from 'zod';
import type { Clock } from '../../core/clock.js';
import type { Log } from '../../core/log.js';
import type { Owner } from '../model.js';
import { armConfigSchema } from './arm/config.js';
import { awsConfigSchema } from './aws/config.js';
import type { FakeOptions } from './fake/index.js';
import { openstackConfigSchema } from './openstack/config.js';
import type { Provider } from './provider.js';
import type { QemuOptions } from './qemu/qemu.js';
import { virtualboxConfigSchema } from './virtualbox/config.js';
import { vsphereConfigSchema } from './vsphere/config.js';

/** Providers of this host, which need not be told anything. Each is loaded when it is asked for. */
export const providers = {
  fake: async (options: FakeOptions): Promise<Provider> =>
    (await import('./fake/index.js')).createFakeProvider(options),
  qemu: async (options: QemuOptions): Promise<Provider> => new (await import('./qemu/qemu.js')).QemuProvider(options),
};

/** Providers of machines elsewhere: what an operator tells of each (`provider_options.NAME`), what is made of it, and the rights it needs. */
export const elsewhere = {
  arm: told(armConfigSchema, async (options) => (await import('./arm/index.js')).createArmProvider(options)),
  aws: told(
    awsConfigSchema,
    async (options) => (await import('./aws/index.js')).createAwsProvider(options),
    async (owner) => (await import('./aws/policy.js')).awsPolicy(owner),
  ),
  openstack: told(
    openstackConfigSchema,
    async (options) => (await import('./openstack/index.js')).createOpenStackProvider(options),
    async () => (await import('./openstack/policy.js')).openstackPolicy(),
  ),
  virtualbox: told(virtualboxConfigSchema, async (options) =>
    (await import('./virtualbox/index.js')).createVirtualBoxProvider(options),
  ),
  vsphere: told(
    vsphereConfigSchema,
    async (options) => (await import('./vsphere/index.js')).createVSphereProvider(options),
    async () => (await import('./vsphere/policy.js')).vspherePolicy(),
  ),
};

/** The least rights that a cell needs there; told whether it is configured or not. Undefined: it gives none. */
export async function policyOf(name: string, owner: Owner): Promise<Record<string, unknown> | undefined> {
  const found = Object.entries(elsewhere).find(([known]) => known === name)?.[1];
  return found?.policy?.(owner);
}

type Policy = (owner: Owner) => Promise<Record<string, unknown>>;

interface Parts {
  /** A folder of the provider's own. */
  home: string;
  clock: Clock;
  log: Log;
}

export interface Told<S extends z.ZodType> {
  schema: S;
  /** `config` is what `schema` reads. */
  make(config: unknown, parts: Parts): Promise<Provider>;
  policy: Policy | undefined;
}

function told<S extends z.ZodType>(
  schema: S,
  make: (options: Parts & { config: z.output<S> }) => Promise<Provider>,
  policy?: Policy,
): Told<S> {
  return { schema, policy, make: (config, parts) => make({ ...parts, config: schema.parse(config) }) };
}
