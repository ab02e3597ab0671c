import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cloudConfig } from '../openstack/cloud-config.js';
import { PASSWORD } from '../openstack/keystone.js';
import { OpenStackPeer } from '../openstack/peer.js';
import { PeerNet } from '../peer-net.js';
import type { ElsewhereRow } from './elsewhere.js';

/** `real`: with the real Keystone and Glance. */
export const openstackRow = (real: boolean): ElsewhereRow => ({
  provider: 'openstack',
  // Its double is in this tree.
  peers: [],
  async open(dir) {
    const net = await PeerNet.open();
    await mkdir(join(dir, 'peer'));
    const peer = await OpenStackPeer.open(net, join(dir, 'peer/cloud'), real);
    return {
      options: await cloudConfig(dir, peer),
      living: () => peer.living(),
      lose: (id) => peer.nova.lose(id),
      machines: () => peer.left(),
      left: () => Promise.resolve(peer.all()),
      secrets: [PASSWORD],
      async close() {
        await peer.close();
        await net.close();
      },
    };
  },
});

export const openstack = openstackRow(false);
