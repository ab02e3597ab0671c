import { afterAll, beforeAll, describe } from '@jest/globals';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../core/clock.js';
import { noLog } from '../../../core/log.js';
import { virtualboxConfigSchema } from '../../../executor/providers/virtualbox/config.js';
import { createVirtualBoxProvider } from '../../../executor/providers/virtualbox/index.js';
import { providerContract, type Subject } from '../../contract/provider.js';
import { PeerNet, whyNoPeerNet } from '../../support/peer-net.js';
import { makeBench, makeSpec, open, type Bench } from '../../support/qemu.js';
import { PACE } from '../../support/remote.js';

const why = whyNoPeerNet();
if (why !== undefined) process.stderr.write(`skipped: virtualbox: ${why}\n`);

(why === undefined ? describe : describe.skip)('virtualbox', () => {
  let bench: Bench;
  let net: PeerNet;
  beforeAll(async () => {
    bench = await makeBench();
    net = await PeerNet.open();
  }, 180_000);
  afterAll(async () => {
    await net.close();
    await bench.close();
  });

  providerContract(
    'virtualbox',
    async (): Promise<Subject> => {
      const home = await mkdtemp(join(tmpdir(), 'unik-vbox-'));
      const standin = join(home, 'virtualbox');
      await mkdir(standin);
      await writeFile(join(standin, 'setup.json'), JSON.stringify({ major: 7, enter: net.enter }));
      process.env['VBOX_STANDIN'] = standin;
      const config = virtualboxConfigSchema.parse({
        vboxmanage: join(import.meta.dirname, '../../support/vboxmanage.mjs'),
        addresses: { subnet: `${net.subnet}.0/24`, first: `${net.subnet}.20`, last: `${net.subnet}.99` },
      });
      const make = () =>
        createVirtualBoxProvider({ config, home: join(home, 'unik'), clock: systemClock, log: noLog, pace: PACE });
      let provider = make();
      return {
        provider,
        makeSpec: (kind, who) => makeSpec(bench, kind, who, { mode: 'provider', ...open }),
        reopen() {
          provider.close();
          provider = make();
          return provider;
        },
        leftovers: async () => [
          ...(await readdir(join(standin, 'machines')).catch(() => [])),
          ...(await readdir(join(home, 'unik/vms')).catch(() => [])),
        ],
        async close() {
          provider.close();
          await rm(home, { recursive: true, force: true });
        },
      };
    },
    120_000,
  );
});
