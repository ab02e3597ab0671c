import { expect } from '@jest/globals';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { MachineSpec } from '../../../executor/providers/provider.js';
import type { RemoteProvider } from '../../../executor/remote/remote.js';

export interface LeakGround {
  owner: string;
  home: string;
  /** Our object over the same state, as after a kill: what was under way is no longer ours. */
  restart(): RemoteProvider;
  spec(): MachineSpec;
  /** What goes wrong with calls from now on; undefined: nothing. `random`: from 0 to 1. */
  trouble(random: (() => number) | undefined): void;
  /** Machines at the provider, by the ids that our handles have. */
  machines(): Promise<string[]>;
  /** All that is there and is ours. */
  left(): Promise<string[]>;
}

/** Random starts, ends, sweeps and kills; then every machine is in our lists, and `gc` leaves nothing at all. */
export async function leakRun(ground: LeakGround, operations: number): Promise<void> {
  const { owner } = ground;
  let seed = Number(process.env['UNIK_LEAK_SEED'] ?? 4711);
  const random = (): number => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) / 2 ** 31;
  ground.trouble(random);
  let provider = ground.restart();
  const pending: Promise<unknown>[] = [];
  const done = { started: 0, destroyed: 0, swept: 0, killed: 0, failed: 0 };
  const note = (what: keyof typeof done, work: Promise<unknown>): void => {
    done[what]++;
    pending.push(work.catch(() => done.failed++));
  };
  for (let operation = 0; operation < operations; operation++) {
    const what = random();
    if (what < 0.45) {
      const signal = random() < 0.3 ? AbortSignal.timeout(Math.ceil(random() * 2_000)) : new AbortController().signal;
      note('started', provider.start(ground.spec(), signal));
    } else if (what < 0.8) {
      const known = await provider.list(owner).catch(() => []);
      const one = known[Math.floor(random() * known.length)];
      if (one) note('destroyed', provider.destroy(one));
    } else if (what < 0.9) {
      note('swept', provider.collect(owner));
    } else {
      done.killed++;
      provider = ground.restart();
    }
    if (pending.length >= 4) await Promise.all(pending.splice(0));
  }
  await Promise.all(pending);
  process.stderr.write(`operations: ${JSON.stringify(done)}\n`);
  ground.trouble(undefined);
  // What was ordered without an answer has come into being by now.
  await delay(3_000);
  provider = ground.restart();
  const shown = new Set((await provider.list(owner)).map(({ data }) => String(data['id'])));
  expect((await ground.machines()).filter((id) => !shown.has(id))).toEqual([]);
  for (const handle of await provider.list(owner)) await provider.destroy(handle);
  await provider.collect(owner);
  expect(await ground.left()).toEqual([]);
  expect(await readdir(join(ground.home, 'machines'))).toEqual([]);
}
