import { afterAll, beforeAll } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { providerContract, type Subject } from '../contract/provider.js';
import { leftovers, makeBench, makeSpec, open, type Bench } from '../support/qemu.js';
import { makeProvider } from '../support/qemu-provider.js';

let bench: Bench;
beforeAll(async () => {
  bench = await makeBench();
}, 120_000);
afterAll(() => bench.close());

// As root the machines get a tap; as an ordinary user what needs no rights at all.
const mode = process.getuid?.() === 0 ? 'tap' : 'isolated';

providerContract(
  `qemu, network ${mode}`,
  async (): Promise<Subject> => {
    const home = await mkdtemp(join(bench.dir, 'home-'));
    let provider = makeProvider(home);
    return {
      provider,
      makeSpec: (kind, who) => makeSpec(bench, kind, who, { mode, ...open }),
      reopen() {
        provider.close();
        provider = makeProvider(home);
        return provider;
      },
      leftovers: () => leftovers(home),
      async close() {
        provider.close();
        await rm(home, { recursive: true, force: true });
      },
    };
  },
  60_000,
);
