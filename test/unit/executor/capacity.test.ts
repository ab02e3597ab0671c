import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { admit, report, Tally, type Capacity } from '../../../executor/capacity.js';
import type { Charge, Instance } from '../../../executor/model.js';
import { aSpec } from '../../support/executor.js';

const total: Capacity = { memory_mb: 1000, disk_mb: 500, machines: 4 };
const holding = (charge: Charge, over: Partial<Instance> = {}): Instance => ({
  schema: 1,
  spec: aSpec(),
  phase: 'running',
  charge,
  stop_requested: false,
  ready: false,
  ignored_events: 0,
  reserved_at: 0,
  ...over,
});

/** Of these alone, each with a key of its own. */
function tallyOf(instances: readonly Instance[]): Tally {
  const tally = new Tally();
  for (const [index, instance] of instances.entries()) {
    tally.set({ ...instance, spec: { ...instance.spec, key: `k${index}` } });
  }
  return tally;
}
const used = (instances: readonly Instance[]): Capacity => tallyOf(instances).sum;

test.each<[why: string, charge: Charge, others: number, code: string, text: string]>([
  [
    'more than there ever is',
    { memory_mb: 1001, disk_mb: 0 },
    0,
    'insufficient_memory',
    'app asks for 1001 MB of memory, this host has 1000',
  ],
  [
    'more than is left',
    { memory_mb: 901, disk_mb: 0 },
    1,
    'insufficient_memory',
    'app asks for 901 MB of memory, 900 of 1000 are left on this host',
  ],
  [
    'too much disk',
    { memory_mb: 1, disk_mb: 491 },
    1,
    'insufficient_disk',
    'app asks for 491 MB of disk, 490 of 500 are left on this host',
  ],
  [
    'one machine too many',
    { memory_mb: 1, disk_mb: 1 },
    4,
    'insufficient_machines',
    'app asks for 1 machine, 0 of 4 are left on this host',
  ],
])('refuses %s', (_why, charge, others, code, text) => {
  const there = Array.from({ length: others }, () => holding({ memory_mb: 100, disk_mb: 10 }));
  expect(() => admit('app', charge, used(there), total)).toThrow(expect.objectContaining({ code, message: text }));
});

test('an instance is charged until nothing of its machine is left', () => {
  const handle = { provider: 'fake', key: 'k', owner: 'o', version: 1, ports: [], data: {} } as const;
  const charge = { memory_mb: 100, disk_mb: 10 };
  const leaving = holding(charge, { phase: 'completed', handle: { ...handle, ports: [] } });
  expect(used([leaving])).toEqual({ memory_mb: 100, disk_mb: 10, machines: 1 });
  expect(used([holding(charge, { phase: 'completed' })])).toEqual({ memory_mb: 0, disk_mb: 0, machines: 0 });
});

test('reports what one more application could have', () => {
  expect(report(used([holding({ memory_mb: 300, disk_mb: 100 })]), total, 150)).toEqual({
    memory_mb: { total: 1000, available: 550 },
    disk_mb: { total: 500, available: 400 },
    machines: { total: 4, available: 3 },
    overhead_mb: 150,
  });
});

test('never oversubscribes, and refuses only what does not fit', () => {
  const charges = fc.record({ memory_mb: fc.nat(800), disk_mb: fc.nat(400) });
  const ops = fc.array(fc.oneof(charges, fc.constant('leave' as const)), { maxLength: 40 });
  fc.assert(
    fc.property(ops, (wishes) => {
      let there: Instance[] = [];
      for (const wish of wishes) {
        if (wish === 'leave') {
          there = there.slice(1);
          continue;
        }
        const before = used(there);
        const fits =
          before.memory_mb + wish.memory_mb <= total.memory_mb &&
          before.disk_mb + wish.disk_mb <= total.disk_mb &&
          before.machines < total.machines;
        let admitted = true;
        try {
          admit('app', wish, before, total);
        } catch {
          admitted = false;
        }
        expect(admitted).toBe(fits);
        if (admitted) there = [...there, holding(wish)];
        const now = used(there);
        for (const what of ['memory_mb', 'disk_mb', 'machines'] as const) {
          expect(now[what]).toBeLessThanOrEqual(total[what]);
        }
      }
    }),
  );
});

test('what is counted one by one is what all take together', () => {
  const steps = fc.array(
    fc.record({
      key: fc.integer({ min: 0, max: 5 }).map(String),
      charge: fc.record({ memory_mb: fc.integer({ min: 32, max: 800 }), disk_mb: fc.nat(400) }),
      what: fc.constantFrom('set', 'end', 'remove'),
    }),
    { maxLength: 40 },
  );
  fc.assert(
    fc.property(steps, (all) => {
      const tally = new Tally();
      const there = new Map<string, Instance>();
      for (const { key, charge, what } of all) {
        const spec = { ...aSpec(), key };
        if (what === 'remove') {
          tally.remove(key);
          there.delete(key);
          continue;
        }
        const instance = holding(charge, { spec, phase: what === 'end' ? 'completed' : 'running' });
        tally.set(instance);
        if (what === 'end') there.delete(key);
        else there.set(key, instance);
      }
      const left = [...there.values()];
      expect(tally.sum).toEqual(used(left));
      const overheads = left.map(({ charge, spec }) => charge.memory_mb - spec.limits.memory_mb);
      expect(tally.overhead_mb).toBe(Math.max(0, ...overheads));
      expect(tally.without('3')).toEqual(used(left.filter(({ spec }) => spec.key !== '3')));
    }),
  );
});
