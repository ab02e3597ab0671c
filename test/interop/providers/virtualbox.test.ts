import { describe, expect, test } from '@jest/globals';
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../../core/clock.js';
import { createLog, noLog, type Log } from '../../../core/log.js';
import { virtualboxConfigSchema } from '../../../executor/providers/virtualbox/config.js';
import { createVirtualBoxProvider } from '../../../executor/providers/virtualbox/index.js';
import type { Pace } from '../../../executor/remote/machine.js';
import type { RemoteProvider } from '../../../executor/remote/remote.js';
import { remoteContract } from '../../contract/remote.js';
import { groundOf } from '../../support/elsewhere/ground.js';
import { virtualbox } from '../../support/elsewhere/virtualbox.js';
import { commandLines, textsBelow } from '../../support/exposed.js';
import { failure } from '../../support/failure.js';
import { whyNoPeerNet } from '../../support/peer-net.js';
import { PACE, remoteHome, remoteSpec } from '../../support/remote.js';

/** Each look is two processes. */
const SLOWER = { ...PACE, state_ms: 1_000 };

const why = whyNoPeerNet();
if (why !== undefined) process.stderr.write(`skipped: virtualbox: ${why}\n`);

(why === undefined ? describe : describe.skip)('virtualbox', () => {
  const ground = groundOf(virtualbox);
  const make = (home: string, log: Log, pace: Partial<Pace>): RemoteProvider => {
    const config = virtualboxConfigSchema.parse(ground.there.options);
    return createVirtualBoxProvider({ config, home, clock: systemClock, log, pace });
  };
  remoteContract({ name: 'virtualbox', ground, make: (home) => make(home, noLog, SLOWER) });

  test('what an application is told is in no record, error, log or command line, and its seed is ours alone', async () => {
    const home = await remoteHome(ground.bench);
    const standin = process.env['VBOX_STANDIN'] ?? '';
    const works = await readFile(join(standin, 'setup.json'), 'utf8');
    const fails = JSON.stringify({ ...(JSON.parse(works) as object), fail: 'no-driver' });
    await writeFile(join(standin, 'setup.json'), fails);
    const provider = make(home, createLog('test', 'trace', join(home, 'all.log')), PACE);
    const never = new AbortController().signal;
    const spec = remoteSpec(ground.bench, 'deaf', { key: 'told', owner: 'o/c' });
    try {
      const refused = await failure(() => provider.start(spec, never));
      expect(refused.code).toBe('provider_unavailable');
      await writeFile(join(standin, 'setup.json'), works);
      const handle = await provider.start(spec, never);
      const said = [await commandLines(), JSON.stringify([refused, handle, await provider.probe(never)])];
      expect(said[0]).toContain(`unik-`);
      for (const dir of [home, standin]) said.push(...(await textsBelow(dir, /\.(raw|vdi)$|\/seed\.iso$/)));
      expect([...said, String(refused.stack)].join('\n')).not.toContain('hunter2-hunter2');
      const seeds = (await readdir(home, { recursive: true })).filter((name) => name.endsWith('/seed.iso'));
      expect(await Promise.all(seeds.map(async (name) => (await stat(join(home, name))).mode & 0o077))).toEqual([0]);
      await provider.destroy(handle);
    } finally {
      await writeFile(join(standin, 'setup.json'), works);
      provider.close();
      await rm(home, { recursive: true, force: true });
    }
  }, 120_000);
});
