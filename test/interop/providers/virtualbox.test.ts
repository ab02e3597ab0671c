import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../core/clock.js';
import { createLog, noLog } from '../../../core/log.js';
import { virtualboxConfigSchema } from '../../../executor/providers/virtualbox/config.js';
import { createVirtualBoxProvider } from '../../../executor/providers/virtualbox/index.js';
import { providerContract, type Subject } from '../../contract/provider.js';
import { PROGRAM } from '../../support/elsewhere/virtualbox.js';
import { failure } from '../../support/failure.js';
import { PeerNet, whyNoPeerNet } from '../../support/peer-net.js';
import { makeBench, makeSpec, open, type Bench } from '../../support/qemu.js';
import { PACE, remoteHome } from '../../support/remote.js';

/** Each look is two processes. */
const SLOWER = { ...PACE, state_ms: 1_000 };

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
      const home = await remoteHome(bench);
      const standin = join(home, 'virtualbox');
      await mkdir(standin);
      await writeFile(join(standin, 'setup.json'), JSON.stringify({ major: 7, enter: net.enter }));
      process.env['VBOX_STANDIN'] = standin;
      const config = virtualboxConfigSchema.parse({
        vboxmanage: PROGRAM,
        addresses: { subnet: `${net.subnet}.0/24`, first: `${net.subnet}.20`, last: `${net.subnet}.99` },
      });
      const make = () => createVirtualBoxProvider({ config, home, clock: systemClock, log: noLog, pace: SLOWER });
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
          ...(await readdir(join(home, 'vms')).catch(() => [])),
        ],
        async close() {
          provider.close();
          await rm(home, { recursive: true, force: true });
        },
      };
    },
    120_000,
  );

  test('what an application is told is in no record, error, log or command line, and its seed is ours alone', async () => {
    const home = await mkdtemp(join(tmpdir(), 'unik-vbox-'));
    const log = createLog('test', 'trace', join(home, 'all.log'));
    const setup = (facts: object): Promise<void> =>
      writeFile(join(home, 'setup.json'), JSON.stringify({ major: 7, enter: net.enter, ...facts }));
    await setup({ fail: 'no-driver' });
    process.env['VBOX_STANDIN'] = home;
    const config = virtualboxConfigSchema.parse({
      vboxmanage: PROGRAM,
      addresses: { subnet: `${net.subnet}.0/24`, first: `${net.subnet}.100`, last: `${net.subnet}.199` },
    });
    const provider = createVirtualBoxProvider({
      ...{ config, home: join(home, 'unik'), clock: systemClock, log, pace: PACE },
    });
    const never = new AbortController().signal;
    const spec = makeSpec(bench, 'deaf', { key: 'told', owner: 'o/c' }, { mode: 'provider', ...open });
    try {
      const refused = await failure(() => provider.start(spec, never));
      expect(refused.code).toBe('provider_unavailable');
      await setup({});
      const handle = await provider.start(spec, never);
      const { stdout } = await execa('ps', ['-eo', 'args']);
      const said = [stdout, JSON.stringify([refused, handle, await provider.probe(never)]), String(refused.stack)];
      for (const file of await readdir(home, { recursive: true, withFileTypes: true })) {
        const path = join(file.parentPath, file.name);
        if (file.name === 'seed.iso') expect((await stat(path)).mode & 0o077).toBe(0);
        else if (file.isFile() && !/\.(raw|vdi)$/.test(path)) said.push(await readFile(path, 'latin1'));
      }
      expect(stdout).toContain(`unik-`);
      expect(said.join('\n')).not.toContain('hunter2-hunter2');
      await provider.destroy(handle);
    } finally {
      provider.close();
      await rm(home, { recursive: true, force: true });
    }
  }, 120_000);
});
