import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { NetworkMode } from '../../executor/model.js';
import { leftovers, makeBench, makeSpec, open, type Bench } from '../support/qemu.js';
import { makeProvider } from '../support/qemu-provider.js';

const OWNER = 'test/crash';
const PATIENCE_MS = 60_000;
const modes: NetworkMode[] = process.getuid?.() === 0 ? ['tap', 'user'] : ['isolated'];

describe.each(modes)('our process is killed while it starts machines, network %s', (mode) => {
  let bench: Bench;
  let starter: string;

  beforeAll(async () => {
    bench = await makeBench();
    starter = join(bench.dir, 'starter.mjs');
    const banner = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";
    const entryPoints = ['test/support/qemu-starter.ts'];
    await build({
      entryPoints,
      outfile: starter,
      bundle: true,
      platform: 'node',
      format: 'esm',
      banner: { js: banner },
    });
  }, 120_000);
  afterAll(() => bench.close());

  /** Starts two machines in a process of their own and kills it `after` ms into that; -1: when both have started. */
  const startAndDie = async (home: string, after: number): Promise<void> => {
    const specs = ['a', 'b'].map((key) => makeSpec(bench, 'web', { key, owner: OWNER }, { mode, ...open }));
    await writeFile(join(bench.dir, 'specs.json'), JSON.stringify(specs));
    const child = spawn(process.execPath, [starter, home, join(bench.dir, 'specs.json')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: child.stdout });
    await once(lines, 'line');
    if (after < 0) await once(lines, 'line');
    else await delay(after);
    child.kill('SIGKILL');
    await once(child, 'exit');
  };

  // From before the first note to after the last step; a machine takes a tenth to half a second to start.
  test.each([0, 30, 80, 130, 200, 300])(
    'after %d ms: all it left is found and cleared away',
    async (after) => {
      const home = join(bench.dir, `home-${after}`);
      await startAndDie(home, after);
      const provider = makeProvider(home);
      for (const handle of await provider.list(OWNER)) await provider.destroy(handle);
      provider.close();
      // A launcher that waited for a word from the dead process ends by itself, and what hangs on it.
      await eventually(
        async () => (await leftovers(home)).length === 0,
        () => leftovers(home),
      );
    },
    PATIENCE_MS,
  );

  test(
    'machines that were started live on, get their config, and are taken back',
    async () => {
      const home = join(bench.dir, 'home-live');
      await startAndDie(home, -1);
      const provider = makeProvider(home);
      const signal = new AbortController().signal;
      try {
        const handles = await provider.list(OWNER);
        expect(handles.map(({ key }) => key).sort()).toEqual(['a', 'b']);
        for (const handle of handles) {
          expect(await provider.recover(handle)).toEqual(handle);
          await eventually(
            () => provider.reaches(handle, 8080, 1_000, signal),
            () => Promise.resolve(handle),
          );
        }
      } finally {
        for (const handle of await provider.list(OWNER)) await provider.destroy(handle);
        provider.close();
      }
      expect(await leftovers(home)).toEqual([]);
    },
    PATIENCE_MS,
  );
});

async function eventually(claim: () => Promise<boolean>, what: () => Promise<unknown>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS / 3;
  while (!(await claim())) {
    if (Date.now() > deadline) throw new Error(`did not come true: ${JSON.stringify(await what())}`);
    await delay(50);
  }
}
