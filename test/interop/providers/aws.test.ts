import { afterAll, beforeAll } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../core/clock.js';
import { noLog } from '../../../core/log.js';
import { awsConfigSchema } from '../../../executor/providers/aws/config.js';
import { createAwsProvider } from '../../../executor/providers/aws/index.js';
import { providerContract, type Subject } from '../../contract/provider.js';
import { ACCESS_KEY, AwsPeer, SECRET_KEY } from '../../support/aws-peer.js';
import { describePeer } from '../../support/peers.js';
import { PeerNet, whyNoPeerNet } from '../../support/peer-net.js';
import { makeBench, makeSpec, open, type Bench } from '../../support/qemu.js';
import { PACE } from '../../support/remote.js';

describePeer('aws', ['moto'], () => {
  let bench: Bench;
  let net: PeerNet;
  let peer: AwsPeer;
  let credentials: string;
  beforeAll(async () => {
    const why = whyNoPeerNet();
    if (why !== undefined) throw new Error(why);
    bench = await makeBench();
    net = await PeerNet.open();
    peer = await AwsPeer.open(net, join(bench.dir, 'aws'));
    credentials = join(bench.dir, 'credentials.json');
    await writeFile(credentials, JSON.stringify({ access_key_id: ACCESS_KEY, secret_access_key: SECRET_KEY }));
  }, 180_000);
  afterAll(async () => {
    await peer.close();
    await net.close();
    await bench.close();
  });

  const config = () =>
    awsConfigSchema.parse({
      ...{ region: 'us-east-1', endpoint: peer.endpoint, credentials_file: credentials },
      ...{ subnet_id: peer.subnet, security_group_ids: [peer.group] },
    });

  providerContract(
    'aws',
    async (): Promise<Subject> => {
      const home = await mkdtemp(join(tmpdir(), 'unik-aws-'));
      const make = () =>
        createAwsProvider({
          config: config(),
          home,
          clock: systemClock,
          log: noLog,
          pace: PACE,
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
        leftovers: () => peer.count('DescribeInstances'),
        async close() {
          provider.close();
          await rm(home, { recursive: true, force: true });
        },
      };
    },
    120_000,
  );
});
