import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ACCESS_KEY, AwsPeer, SECRET_KEY } from '../aws-peer.js';
import { PeerNet } from '../peer-net.js';
import type { ElsewhereRow } from './elsewhere.js';

/** Credentials of the account in a file below `dir`, and a configuration that names it. */
export async function awsSettings(dir: string, peer: AwsPeer): Promise<Record<string, unknown>> {
  const credentials_file = join(dir, 'credentials.json');
  const keys = { access_key_id: ACCESS_KEY, secret_access_key: SECRET_KEY };
  await writeFile(credentials_file, JSON.stringify(keys), { mode: 0o600 });
  return {
    ...{ region: 'us-east-1', endpoint: peer.endpoint, credentials_file },
    ...{ subnet_id: peer.subnet, security_group_ids: [peer.group] },
  };
}

export const aws: ElsewhereRow = {
  provider: 'aws',
  peers: ['moto'],
  async open(dir) {
    const net = await PeerNet.open();
    const peer = await AwsPeer.open(net, join(dir, 'peer'));
    return {
      options: await awsSettings(dir, peer),
      living: () => peer.living(),
      lose: (id) => peer.lose(id),
      machines: () => peer.count('DescribeInstances'),
      left: () => peer.left(),
      secrets: [ACCESS_KEY, SECRET_KEY],
      async close() {
        await peer.close();
        await net.close();
      },
    };
  },
};
