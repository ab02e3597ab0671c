import type { Log } from '../core/log.js';
import type { Instance, Key, MachineHandle, Owner, ProviderName } from './model.js';
import type { Provider } from './providers/provider.js';

/** What the providers still know of machines that an earlier process of ours started. */
export interface Remains {
  /** The instance's machine; undefined when it is gone, or was never started. */
  of(instance: Instance): Promise<MachineHandle | undefined>;
  /** Logs machines of ours that no record names; `gc` destroys them. */
  tellStrays(known: ReadonlySet<Key>): Promise<void>;
}

export function whatIsLeft(deps: { owner: Owner; providers: ReadonlyMap<ProviderName, Provider>; log: Log }): Remains {
  const { owner, providers, log } = deps;
  // Asked once for all instances.
  const lists = new Map<ProviderName, Promise<MachineHandle[]>>();
  const listed = (provider: Provider): Promise<MachineHandle[]> => {
    const list =
      lists.get(provider.name) ??
      provider.list(owner).catch((err: unknown) => {
        log.error({ err, provider: provider.name }, 'provider.list-failed');
        return [];
      });
    lists.set(provider.name, list);
    return list;
  };

  return {
    async of({ spec, handle }) {
      const provider = providers.get(spec.provider);
      if (!provider) return handle;
      // No handle on record: the last process may have gone between starting the machine and writing it down.
      const candidate = handle ?? (await listed(provider)).find((found) => found.key === spec.key);
      if (!candidate) return undefined;
      try {
        return await provider.recover(candidate);
      } catch (err) {
        // The provider cannot tell now: the watch will.
        log.error({ err, key: spec.key }, 'machine.recover-failed');
        return candidate;
      }
    },
    async tellStrays(known) {
      for (const provider of providers.values()) {
        for (const { key } of await listed(provider)) {
          if (!known.has(key)) log.warn({ key, provider: provider.name }, 'machine.stray');
        }
      }
    },
  };
}
