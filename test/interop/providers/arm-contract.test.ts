import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../../core/clock.js';
import { createLog } from '../../../core/log.js';
import { createArmProvider } from '../../../executor/providers/arm/index.js';
import type { RemoteProvider } from '../../../executor/remote/remote.js';
import { providerContract } from '../../contract/provider.js';
import { Boards, whyNoBoards } from '../../support/boards.js';
import { makeBench, makeSpec, open, type Bench } from '../../support/qemu.js';
import { PACE } from '../../support/remote.js';

const why = whyNoBoards();

if (why !== undefined) {
  console.warn(`skipped: arm: ${why}`);
  test.skip(`arm: ${why}`, () => expect(why).toBeUndefined());
} else {
  let bench: Bench;
  let boards: Boards;
  beforeAll(async () => {
    bench = await makeBench('aarch64');
    boards = await Boards.open(4);
  }, 300_000);
  afterAll(async () => {
    await boards.close();
    await bench.close();
  });

  providerContract(
    'arm',
    async () => {
      const home = await mkdtemp(join(bench.dir, 'home-'));
      const options = {
        config: boards.config(),
        home,
        clock: systemClock,
        log: createLog('test', 'silent'),
        pace: PACE,
      };
      let provider: RemoteProvider = createArmProvider(options);
      return {
        provider,
        makeSpec: (kind, who) => makeSpec(bench, kind, who, { mode: 'provider', ...open }),
        reopen: () => {
          provider.close();
          provider = createArmProvider(options);
          return provider;
        },
        async leftovers() {
          const files = await readdir(home, { recursive: true });
          const left = files.filter((name) => /claim\.json|door$|console$|record\.json|vmlinuz|initrd/.test(name));
          return [...left, ...boards.on.map((id) => `power of ${id}`)];
        },
        async close() {
          provider.close();
          await rm(home, { recursive: true, force: true });
        },
      };
    },
    180_000,
  );
}
