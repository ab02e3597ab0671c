import { afterAll, beforeAll } from '@jest/globals';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../../core/clock.js';
import { noLog } from '../../../core/log.js';
import { vsphereConfigSchema } from '../../../executor/providers/vsphere/config.js';
import { createVSphereProvider } from '../../../executor/providers/vsphere/index.js';
import { providerContract, type Subject } from '../../contract/provider.js';
import { PeerNet, whyNoPeerNet } from '../../support/peer-net.js';
import { describePeer } from '../../support/peers.js';
import { makeBench, makeSpec, open, type Bench } from '../../support/qemu.js';
import { PACE, remoteHome } from '../../support/remote.js';
import { PASSWORD, USERNAME, VSpherePeer } from '../../support/vsphere-peer.js';

describePeer('vsphere', ['vcsim'], () => {
  let bench: Bench;
  let net: PeerNet;
  let peer: VSpherePeer;
  let credentials: string;
  beforeAll(async () => {
    const why = whyNoPeerNet();
    if (why !== undefined) throw new Error(why);
    bench = await makeBench();
    net = await PeerNet.open();
    peer = await VSpherePeer.open(net, join(bench.dir, 'vsphere'));
    credentials = join(bench.dir, 'credentials.json');
    await writeFile(credentials, JSON.stringify({ username: USERNAME, password: PASSWORD }));
  }, 180_000);
  afterAll(async () => {
    await peer.close();
    await net.close();
    await bench.close();
  });

  const config = () =>
    vsphereConfigSchema.parse({
      ...{ url: peer.url, credentials_file: credentials, datacenter: 'DC0', resource_pool: 'DC0_C0/Resources' },
      ...{ network: 'VM Network', datastore: 'LocalDS_0' },
      addresses: { subnet: `${net.subnet}.0/24`, first: `${net.subnet}.20`, last: `${net.subnet}.199` },
    });

  providerContract(
    'vsphere',
    async (): Promise<Subject> => {
      const home = await remoteHome(bench);
      const make = () =>
        createVSphereProvider({
          config: config(),
          home,
          clock: systemClock,
          log: noLog,
          pace: PACE,
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
        leftovers: () => peer.vms(),
        async close() {
          provider.close();
          await rm(home, { recursive: true, force: true });
        },
      };
    },
    120_000,
  );
});
