import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Bench, type Ground } from './bench.js';
import type { Case } from './case.js';

/** The control planes that a table of cases needs. */
export interface Grounds {
  quick: Ground;
  quiet: Ground;
}

export type Failure = Error | undefined;

/** Cases that run side by side. Most of their time is waiting. */
const SIDE_BY_SIDE = 12;
const CASE_MS = 90_000;
const TABLE_MS = 300_000;

/** Only the cases whose name holds this text: for looking at one of them. */
const CHOSEN = process.env['UNIK_CASE'] ?? '';

/** One jest test for each case; the cases themselves run side by side from the first test on. */
export function describeCases(title: string, table: readonly Case[], prepare: () => Promise<Grounds>): void {
  const cases = table.filter(({ name }) => name.includes(CHOSEN));
  describe(title, () => {
    let grounds: Grounds | undefined;
    let outcomes = new Map<string, Promise<Failure>>();
    beforeAll(async () => {
      grounds = await prepare();
      outcomes = runAll(cases, grounds);
    }, 90_000);
    afterAll(async () => {
      await grounds?.quick.close();
      await grounds?.quiet.close();
    }, 60_000);

    test('names are unique', () => {
      expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
    });
    test.each(cases.map(({ name }) => name))(
      '%s',
      async (name) => {
        const failure = await outcomes.get(name);
        if (failure) throw failure;
      },
      TABLE_MS,
    );
  });
}

/** Runs one case on one ground; what it threw, if it did. */
export async function runCase(one: Case, ground: Ground): Promise<Failure> {
  const bench = new Bench(ground);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`case not done within ${CASE_MS} ms`)), CASE_MS);
  });
  try {
    await Promise.race([one.steps(bench), late]);
    return undefined;
  } catch (err) {
    return asError(err);
  } finally {
    clearTimeout(timer);
    await bench.close();
  }
}

/** Long cases at once, the others a few at a time, and then each that must be alone. */
function runAll(cases: readonly Case[], grounds: Grounds): Map<string, Promise<Failure>> {
  const settle = new Map<string, (outcome: Failure) => void>();
  const outcomes = new Map(
    cases.map(({ name }) => [name, new Promise<Failure>((resolve) => settle.set(name, resolve))] as const),
  );
  const work = async (queue: Case[]): Promise<void> => {
    for (let one = queue.shift(); one; one = queue.shift()) {
      // Clearing up after a case may fail as well.
      const outcome = await runCase(one, grounds[one.on ?? 'quick']).catch(asError);
      settle.get(one.name)?.(outcome);
    }
  };
  const crowd = cases.filter(({ alone, long }) => !alone && !long);
  const workers = Array.from({ length: SIDE_BY_SIDE }, () => work(crowd));
  const long = cases.filter(({ long }) => long).map((one) => work([one]));
  void Promise.all([...workers, ...long]).then(() => work(cases.filter(({ alone }) => alone)));
  return outcomes;
}

function asError(err: unknown): Error {
  return err instanceof Error ? err : new Error(String(err));
}
