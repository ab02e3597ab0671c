import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../core/clock.js';
import { noLog } from '../../../core/log.js';
import { openstackConfigSchema, type OpenStackConfig } from '../../../executor/providers/openstack/config.js';
import { createOpenStackProvider } from '../../../executor/providers/openstack/index.js';
import { providerContract, type Subject } from '../../contract/provider.js';
import { PeerNet, whyNoPeerNet } from '../peer-net.js';
import { makeBench, makeSpec, open, type Bench } from '../qemu.js';
import { PACE } from '../remote.js';
import { PASSWORD } from './keystone.js';
import { OpenStackPeer } from './peer.js';

/** Credentials of the double's user in a clouds.yaml below `dir`, and a configuration that names it. */
export async function cloudConfig(
  dir: string,
  peer: OpenStackPeer,
  more: Partial<OpenStackConfig> = {},
): Promise<OpenStackConfig> {
  const file = join(dir, 'clouds.yaml');
  const lines = [
    ...['clouds:', '  apps:', '    auth:', `      auth_url: ${peer.auth_url}`, '      username: unik'],
    ...[
      `      password: ${PASSWORD}`,
      '      user_domain_id: default',
      '      project_name: apps',
      '      project_domain_id: default',
    ],
    ...['    region_name: RegionOne', '    interface: public', '    identity_api_version: 3'],
  ];
  await writeFile(file, `${lines.join('\n')}\n`, { mode: 0o600 });
  return openstackConfigSchema.parse({
    credentials_file: file,
    network: 'apps',
    security_groups: ['let-the-cell-in'],
    ...more,
  });
}

/** All cases of the contract; `real`: with the real Keystone and Glance. */
export function openstackContract(name: string, real: boolean): void {
  let bench: Bench;
  let net: PeerNet;
  let peer: OpenStackPeer;
  let config: OpenStackConfig;
  beforeAll(async () => {
    const why = whyNoPeerNet();
    if (why !== undefined) throw new Error(why);
    bench = await makeBench();
    net = await PeerNet.open();
    peer = await OpenStackPeer.open(net, join(bench.dir, 'openstack'), real);
    config = await cloudConfig(bench.dir, peer);
  }, 600_000);
  afterAll(async () => {
    await peer.close();
    await net.close();
    await bench.close();
  }, 60_000);

  providerContract(
    name,
    async (): Promise<Subject> => {
      const home = await mkdtemp(join(tmpdir(), 'unik-openstack-'));
      const make = () =>
        createOpenStackProvider({
          ...{ config, home, log: noLog, pace: PACE },
          clock: systemClock,
          consistency_ms: 1_000,
        });
      let provider = make();
      return {
        provider,
        makeSpec: (kind, who) => makeSpec(bench, kind, who, { mode: 'provider', ...open }),
        reopen() {
          provider.close();
          provider = make();
          return provider;
        },
        leftovers: () => peer.left(),
        async close() {
          provider.close();
          await rm(home, { recursive: true, force: true });
        },
      };
    },
    120_000,
  );

  test('an environment larger than user data may be arrives, compressed', async () => {
    const home = await mkdtemp(join(tmpdir(), 'unik-openstack-'));
    const provider = createOpenStackProvider({ ...{ config, home, log: noLog, pace: PACE }, clock: systemClock });
    try {
      const spec = makeSpec(bench, 'exit3', { key: 'large', owner: 'contract/large' }, { mode: 'provider', ...open });
      const large = { ...spec, config: { ...spec.config, env: { LARGE: 'as large as services are '.repeat(4_000) } } };
      const handle = await provider.start(large, new AbortController().signal);
      expect(await provider.exits(handle, new AbortController().signal)).toMatchObject({ reason: 'exited', code: 3 });
      await provider.destroy(handle);
      expect(peer.left()).toEqual([]);
    } finally {
      provider.close();
      await rm(home, { recursive: true, force: true });
    }
  }, 240_000);
}
