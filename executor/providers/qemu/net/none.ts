import type { Network } from './network.js';

/** No network device at all. */
export function noNetwork(root: boolean): Network {
  return {
    mode: 'none',
    plan: () => ({ namespace: root, device: { kind: 'none' }, instance: { mode: 'none', dns: [] } }),
    attach: () => Promise.resolve({}),
    detach: () => Promise.resolve(),
    reaches: () => Promise.resolve(false),
  };
}
