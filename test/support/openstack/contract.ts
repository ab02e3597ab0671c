import { expect, test } from '@jest/globals';
import { rm } from 'node:fs/promises';
import { systemClock } from '../../../core/clock.js';
import { noLog } from '../../../core/log.js';
import { openstackConfigSchema } from '../../../executor/providers/openstack/config.js';
import { createOpenStackProvider } from '../../../executor/providers/openstack/index.js';
import type { RemoteProvider } from '../../../executor/remote/remote.js';
import { remoteContract } from '../../contract/remote.js';
import { groundOf } from '../elsewhere/ground.js';
import { openstackRow } from '../elsewhere/openstack.js';
import { PACE, remoteHome, remoteSpec } from '../remote.js';

/** All cases of the contract; `real`: with the real Keystone and Glance. */
export function openstackContract(name: string, real: boolean): void {
  const ground = groundOf(openstackRow(real));
  const make = (home: string): RemoteProvider => {
    const config = openstackConfigSchema.parse(ground.there.options);
    const parts = { config, home, clock: systemClock, log: noLog, pace: PACE };
    return createOpenStackProvider({ ...parts, consistency_ms: 1_000 });
  };
  remoteContract({ name, ground, make });

  test('an environment larger than user data may be arrives, compressed', async () => {
    const home = await remoteHome(ground.bench);
    const provider = make(home);
    try {
      const spec = remoteSpec(ground.bench, 'exit3', { key: 'large', owner: 'contract/large' });
      const large = { ...spec, config: { ...spec.config, env: { LARGE: 'as large as services are '.repeat(4_000) } } };
      const handle = await provider.start(large, new AbortController().signal);
      expect(await provider.exits(handle, new AbortController().signal)).toMatchObject({ reason: 'exited', code: 3 });
      await provider.destroy(handle);
      expect(await ground.there.machines(home)).toEqual([]);
    } finally {
      provider.close();
      await rm(home, { recursive: true, force: true });
    }
  }, 240_000);
}
