import type { ProviderName } from '../model.js';
import type { AwsProviderOptions } from './aws/index.js';
import type { FakeOptions } from './fake/index.js';
import type { Provider } from './provider.js';
import type { QemuOptions } from './qemu/qemu.js';
import type { VirtualBoxProviderOptions } from './virtualbox/index.js';
import type { VSphereProviderOptions } from './vsphere/index.js';

/** What each provider that this cell can have is made of. */
export interface ProviderOptions {
  fake: FakeOptions;
  qemu: QemuOptions;
  aws: AwsProviderOptions;
  virtualbox: VirtualBoxProviderOptions;
  vsphere: VSphereProviderOptions;
}

/** Each is loaded when it is asked for, so that a cell pays only for what it uses. */
export const providers: { [N in keyof ProviderOptions & ProviderName]: (of: ProviderOptions[N]) => Promise<Provider> } =
  {
    fake: async (options) => (await import('./fake/index.js')).createFakeProvider(options),
    qemu: async (options) => new (await import('./qemu/qemu.js')).QemuProvider(options),
    aws: async (options) => (await import('./aws/index.js')).createAwsProvider(options),
    virtualbox: async (options) => (await import('./virtualbox/index.js')).createVirtualBoxProvider(options),
    vsphere: async (options) => (await import('./vsphere/index.js')).createVSphereProvider(options),
  };
