import { afterAll, beforeAll } from '@jest/globals';
import { whyNoPeerNet } from '../peer-net.js';
import { makeBench, type Bench } from '../qemu.js';
import type { Elsewhere, ElsewhereRow } from './elsewhere.js';

/** What one provider's machines are made of in tests, and what stands in for the provider. */
export interface Ground {
  bench: Bench;
  there: Elsewhere;
}

/** For the tests of the file or `describe` that calls it; it is there when they begin. */
export function groundOf(row: ElsewhereRow): Readonly<Ground> {
  const ground = {} as Ground;
  beforeAll(async () => {
    const why = whyNoPeerNet();
    if (why !== undefined) throw new Error(why);
    ground.bench = await makeBench(row.arch);
    ground.there = await row.open(ground.bench.dir);
  }, 600_000);
  afterAll(async () => {
    await ground.there.close();
    await ground.bench.close();
  }, 60_000);
  return ground;
}
