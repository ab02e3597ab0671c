import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startEmbeddedDiego } from '../../support/diego/embedded.js';
import { startRealDiego } from '../../support/diego/real.js';
import { TestCell } from '../../support/diego/test-cell.js';
import { describePeer } from '../../support/peers.js';
import { prepareGround, type Ground } from './conformance/bench.js';
import { play, sequenceOf, SEQUENCE_CELLS } from './conformance/sequences.js';

const SEQUENCES = 1_000;
/** The first sequence; any other number gives other ones. */
const SEED = Number(process.env['UNIK_SEED'] ?? 1);
const SIDE_BY_SIDE = 16;
/** Nothing happens but what is called. */
const NEVER_MS = 3_600_000;
const TIMES = {
  converge_ms: NEVER_MS,
  kick_ms: NEVER_MS,
  stale_ms: 30_000,
  backoff_ms: 30_000,
  expire_pending_ms: NEVER_MS,
  expire_completed_ms: NEVER_MS,
  patience_ms: 10_000,
};

describePeer('The embedded control plane agrees with the real one', ['postgres', 'locket', 'bbs', 'auctioneer'], () => {
  const grounds: Ground[] = [];
  const holes: TestCell[] = [];
  beforeAll(async () => {
    const started = await Promise.all([startRealDiego(TIMES), startEmbeddedDiego(TIMES)]);
    for (const diego of started) {
      const ground = await prepareGround(diego, TIMES);
      grounds.push(ground);
      for (const id of SEQUENCE_CELLS.slice(0, 2)) holes.push(await hole(id, ground));
    }
  }, 120_000);
  afterAll(async () => {
    for (const cell of holes) await cell.close();
    for (const ground of grounds) await ground.close();
  }, 60_000);

  test(`in ${SEQUENCES} sequences of calls and in what is left after each`, async () => {
    const [real, embedded] = grounds;
    if (!real || !embedded) throw new Error('two control planes are needed');
    const seeds = Array.from({ length: SEQUENCES }, (_, index) => SEED + index);
    const differences: object[] = [];
    const work = async (): Promise<void> => {
      for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) {
        const [wanted, got] = await Promise.all([play(real.bbs, seed), play(embedded.bbs, seed)]);
        const at = wanted.findIndex((line, index) => line !== got[index]);
        if (at >= 0)
          differences.push({ seed, before: calls(seed).slice(0, at + 1), real: wanted[at], embedded: got[at] });
      }
    };
    await Promise.all(Array.from({ length: SIDE_BY_SIDE }, work));
    expect(differences.slice(0, 12)).toEqual([]);
  }, 240_000);
});

const calls = (seed: number): string[] =>
  sequenceOf(seed).map(({ call, request }) => `${call} ${JSON.stringify(request)}`);

/** A cell that takes everything and does nothing with it: auctions then change no row. */
async function hole(id: string, { tls, bbs, locket }: Ground): Promise<TestCell> {
  const cell = await TestCell.listen({ id, stacks: ['hole'] }, tls, bbs, locket);
  cell.answers.work = () => ({ status: 200, body: { LRPs: null, Tasks: null } });
  await cell.present();
  return cell;
}
