import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PeerNet } from '../peer-net.js';
import { PASSWORD, USERNAME, VSpherePeer } from '../vsphere-peer.js';
import type { ElsewhereRow } from './elsewhere.js';

interface Addresses {
  subnet: string;
  first: string;
  last: string;
}

/** Credentials of the account in a file below `dir`, and a configuration that names it. */
export async function vsphereSettings(
  dir: string,
  peer: VSpherePeer,
  addresses: Addresses,
): Promise<Record<string, unknown>> {
  const credentials_file = join(dir, 'credentials.json');
  await writeFile(credentials_file, JSON.stringify({ username: USERNAME, password: PASSWORD }), { mode: 0o600 });
  return {
    ...{ url: peer.url, credentials_file, datacenter: 'DC0', resource_pool: 'DC0_C0/Resources' },
    ...{ network: 'VM Network', datastore: 'LocalDS_0', addresses },
  };
}

export const vsphere: ElsewhereRow = {
  provider: 'vsphere',
  peers: ['vcsim'],
  async open(dir) {
    const net = await PeerNet.open();
    const peer = await VSpherePeer.open(net, join(dir, 'peer'));
    const addresses = { subnet: `${net.subnet}.0/24`, first: `${net.subnet}.20`, last: `${net.subnet}.199` };
    return {
      options: await vsphereSettings(dir, peer, addresses),
      living: () => peer.living(),
      lose: (name) => peer.lose(name),
      machines: () => peer.vms(),
      left: () => peer.left(),
      secrets: [PASSWORD],
      async close() {
        await peer.close();
        await net.close();
      },
    };
  },
};
