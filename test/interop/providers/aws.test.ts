import { expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { systemClock } from '../../../core/clock.js';
import { noLog } from '../../../core/log.js';
import { awsConfigSchema } from '../../../executor/providers/aws/config.js';
import { createAwsProvider } from '../../../executor/providers/aws/index.js';
import type { RemoteProvider } from '../../../executor/remote/remote.js';
import { remoteContract } from '../../contract/remote.js';
import { aws } from '../../support/elsewhere/aws.js';
import { groundOf } from '../../support/elsewhere/ground.js';
import { failure } from '../../support/failure.js';
import { describePeer } from '../../support/peers.js';
import { PACE, remoteHome, remoteSpec } from '../../support/remote.js';

describePeer('aws', aws.peers, () => {
  const ground = groundOf(aws);
  const make = (home: string): RemoteProvider => {
    const config = awsConfigSchema.parse(ground.there.options);
    return createAwsProvider({ config, home, clock: systemClock, log: noLog, pace: PACE, consistency_ms: 1_000 });
  };
  remoteContract({ name: 'aws', ground, make });

  test('an environment that is larger than EC2 carries arrives whole; one that cannot be made small is refused', async () => {
    const home = await remoteHome(ground.bench);
    const provider = make(home);
    const signal = new AbortController().signal;
    const told = (BIG: string) => {
      const spec = remoteSpec(ground.bench, 'big-env', { key: 'big', owner: 'o/c' });
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
