import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Case } from '../../interop/diego/conformance/case.js';
import { prepareGround } from '../../interop/diego/conformance/bench.js';
import { runCase, type Failure } from '../../interop/diego/conformance/run.js';
import { SCALED_CASES } from '../../interop/diego/conformance/scaled.js';
import { CASES } from '../../interop/diego/conformance/table.js';
import { writeCerts, type CertFiles } from '../../support/diego/certs.js';
import { startEmbeddedDiego } from '../../support/diego/embedded.js';
import { BREAKS, type Break } from './breaks.js';
import { policyOf, timesOf } from './scale.js';

const UNIT_MS = 1_200;
/** How long a case waits for what a break may keep from coming. */
const PATIENCE_MS = 2_000;
const SIDE_BY_SIDE = 10;
const GROUNDS = 3;
const byName = new Map([...CASES, ...SCALED_CASES].map((one) => [one.name, one]));

describe('A control plane with one fault turns a case red', () => {
  let dir: string;
  let outcomes: Map<string, Promise<Failure[]>>;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'unik-breaks-'));
    outcomes = runAll(await writeCerts(dir));
  }, 60_000);
  afterAll(() => rm(dir, { recursive: true, force: true }));

  test('there are thirty faults or more, each by its own name, and each names cases there are', () => {
    expect(BREAKS.length).toBeGreaterThanOrEqual(30);
    expect(new Set(BREAKS.map(({ name }) => name)).size).toBe(BREAKS.length);
    expect(BREAKS.flatMap(({ cases }) => cases).filter((name) => !byName.has(name))).toEqual([]);
  });

  test.each(BREAKS.map(({ name }) => name))(
    '%s',
    async (name) => {
      const failures = (await outcomes.get(name)) ?? [];
      const red = failures.flatMap((failure) => failure ?? []);
      expect(red.length).toBeGreaterThan(0);
      // Red for its reason: an assertion, something that never came, or a refusal; not a broken connection.
      expect(red.filter(({ name: kind }) => !['Error', 'NotSeen', 'BbsError'].includes(kind))).toEqual([]);
    },
    180_000,
  );
});

function runAll(certs: CertFiles): Map<string, Promise<Failure[]>> {
  const settle = new Map<string, (outcome: Failure[]) => void>();
  const outcomes = new Map(
    BREAKS.map(({ name }) => [name, new Promise<Failure[]>((resolve) => settle.set(name, resolve))] as const),
  );
  const queue = [...BREAKS];
  const work = async (): Promise<void> => {
    for (let one = queue.shift(); one; one = queue.shift()) {
      const failures: Failure[] = [];
      for (const name of one.cases) {
        const named = byName.get(name);
        if (named) failures.push(await onGround(one, named, certs));
      }
      settle.get(one.name)?.(failures);
    }
  };
  for (let worker = 0; worker < SIDE_BY_SIDE; worker++) void work();
  return outcomes;
}

/** A ground that gives way under a busy machine says nothing of the fault: it is prepared again, and told in the end. */
async function onGround(fault: Break, one: Case, certs: CertFiles): Promise<Failure> {
  for (let tries = 1; ; tries++) {
    try {
      return await runBroken(fault, one, certs);
    } catch (err) {
      if (tries === GROUNDS)
        return Object.assign(new Error(`no ground for ${one.name}`, { cause: err }), { name: 'NoGround' });
    }
  }
}

/** One case on a control plane of its own, in memory, with the fault. */
async function runBroken({ policy, auction, locket }: Break, one: Case, certs: CertFiles): Promise<Failure> {
  const times = timesOf(UNIT_MS, PATIENCE_MS)[one.on ?? 'quick'];
  const diego = await startEmbeddedDiego({
    ...times,
    certs,
    policy: { ...policyOf(UNIT_MS), ...policy },
    ...(auction ? { auction } : {}),
    ...(locket ? { locket } : {}),
  });
  const ground = await prepareGround(diego, times);
  try {
    return await runCase(one, ground);
  } finally {
    await ground.close();
  }
}
