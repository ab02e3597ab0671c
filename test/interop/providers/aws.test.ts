import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../../core/clock.js';
import { noLog } from '../../../core/log.js';
import { awsConfigSchema } from '../../../executor/providers/aws/config.js';
import { createAwsProvider } from '../../../executor/providers/aws/index.js';
import { providerContract, type Subject } from '../../contract/provider.js';
import { ACCESS_KEY, AwsPeer, SECRET_KEY } from '../../support/aws-peer.js';
import { failure } from '../../support/failure.js';
import { describePeer } from '../../support/peers.js';
import { PeerNet, whyNoPeerNet } from '../../support/peer-net.js';
import { makeBench, makeSpec, open, type Bench } from '../../support/qemu.js';
import { PACE, remoteHome } from '../../support/remote.js';

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
      const home = await remoteHome(bench);
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

  test('an environment that is larger than EC2 carries arrives whole; one that cannot be made small is refused', async () => {
    const home = await remoteHome(bench);
    const provider = createAwsProvider({ config: config(), home, clock: systemClock, log: noLog, pace: PACE });
    const signal = new AbortController().signal;
    const told = (BIG: string) => {
      const spec = makeSpec(bench, 'big-env', { key: 'big', owner: 'o/c' }, { mode: 'provider', ...open });
      return { ...spec, config: { ...spec.config, env: { BIG } } };
    };
    try {
      const services = JSON.stringify(Array.from({ length: 700 }, (_, n) => ({ name: `service-${n}`, port: n * 7 })));
      expect(services.length).toBeGreaterThan(20_000);
      const handle = await provider.start(told(services), signal);
      expect(await provider.exits(handle, signal)).toMatchObject({ reason: 'exited', code: 0 });
      let said = '';
      for await (const { stream, bytes } of provider.console(handle, {}, signal))
        if (stream === 'stdout') said += Buffer.from(bytes).toString();
      expect(said).toBe(`${services.length}\n`);
      await provider.destroy(handle);
      const noise = randomBytes(20_000).toString('base64');
      const refused = await failure(() => provider.start(told(noise), signal));
      expect(refused).toMatchObject({ code: 'environment_too_large' });
      expect(refused.message).toMatch(/take \d+ bytes, compressed \d+; EC2 carries 16384/);
    } finally {
      provider.close();
      await rm(home, { recursive: true, force: true });
    }
  }, 120_000);
});
