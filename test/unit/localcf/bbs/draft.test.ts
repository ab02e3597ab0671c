import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decode } from '../../../../backend/wire/codec.js';
import { readEntries, writeEntry, type Entry } from '../../../../localcf/bbs/entries.js';
import { State } from '../../../../localcf/bbs/state.js';
import { desiredR2 } from '../../../../localcf/bbs/rules/downgrade.js';
import { withMetricsGuid } from '../../../../localcf/bbs/rules/views.js';
import { aDefinition, aDesired, aKey, anInstance, aStart, both, Rules } from '../../../support/rules.js';
import { root } from '../../../support/unik.js';

const guid = fc.constantFrom('p', 'q');
const who = fc.constantFrom('i1', 'i2');
const cell = fc.constantFrom('cell-a', 'cell-b');
type Step = (rules: Rules) => unknown;

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(guid, fc.nat(3)).map(
    ([p, instances]) =>
      (rules: Rules) =>
        rules.call('desire_lrp', { desired_lrp: aDesired(p, { instances }) }),
  ),
  fc.tuple(guid, fc.nat(3)).map(
    ([process_guid, instances]) =>
      (rules: Rules) =>
        rules.call('update_lrp', { process_guid, update: { instances, metric_tags: {} } }),
  ),
  guid.map((process_guid) => (rules: Rules) => rules.call('remove_lrp', { process_guid })),
  fc.tuple(guid, who, cell).map(
    ([p, i, c]) =>
      (rules: Rules) =>
        rules.call('claim', { ...aKey(p), actual_lrp_instance_key: anInstance(i, c) }),
  ),
  fc.tuple(guid, who, cell).map(
    ([p, i, c]) =>
      (rules: Rules) =>
        rules.call('start', aStart(p, i, c)),
  ),
  fc.tuple(guid, who, cell).map(
    ([p, i, c]) =>
      (rules: Rules) =>
        rules.call('crash', { ...both(p, i, c), error_message: 'x' }),
  ),
  fc.tuple(guid, who, cell).map(
    ([p, i, c]) =>
      (rules: Rules) =>
        rules.call('evacuate_running', aStart(p, i, c)),
  ),
  fc.tuple(guid, who, cell).map(
    ([p, i, c]) =>
      (rules: Rules) =>
        rules.call('evacuate_claimed', both(p, i, c)),
  ),
  fc.tuple(guid, who, cell).map(
    ([p, i, c]) =>
      (rules: Rules) =>
        rules.call('remove', { ...aKey(p), actual_lrp_instance_key: anInstance(i, c) }),
  ),
  guid.map((p) => (rules: Rules) => rules.call('retire', { actual_lrp_key: aKey(p) })),
  guid.map(
    (task_guid) => (rules: Rules) =>
      rules.call('desire_task', { task_guid, domain: 'd', task_definition: aDefinition() }),
  ),
  fc.tuple(guid, cell).map(
    ([task_guid, cell_id]) =>
      (rules: Rules) =>
        rules.call('start_task', { task_guid, cell_id }),
  ),
  guid.map((task_guid) => (rules: Rules) => rules.call('cancel_task', { task_guid })),
  fc.constant((rules: Rules) => rules.call('upsert_domain', { domain: 'd', ttl: 0 })),
  cell.map((id) => (rules: Rules) => (rules.cells.has(id) ? rules.cells.delete(id) : rules.cell(id))),
  fc.nat(40_000).map((ms) => (rules: Rules) => rules.later(ms)),
  fc.constant((rules: Rules) => rules.converge()),
);

const everything = (state: State): unknown[] => [...state.rows()];

describe('any sequence of commands', () => {
  test('a refused one leaves no trace, and the changes of all make the same rows again', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const rules = new Rules();
        for (const one of steps) {
          const before = everything(rules.state);
          const answer = one(rules);
          const stands = typeof answer === 'string' && answer.startsWith('ResourceNotFound');
          if (typeof answer === 'string' && !stands) expect(everything(rules.state)).toEqual(before);
        }
        const again = new State();
        for (const change of rules.changes) again.apply(change);
        expect(new Set(everything(again))).toEqual(new Set(everything(rules.state)));
      }),
      { numRuns: 300 },
    );
  });

  test('one convergence with all cells present leaves as many ordinary rows as are wanted, or more', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const rules = new Rules();
        for (const one of steps) one(rules);
        for (const id of ['cell-a', 'cell-b']) rules.cell(id);
        rules.call('upsert_domain', { domain: 'd', ttl: 0 });
        rules.converge();
        for (const { process_guid, instances } of rules.state.desired.values()) {
          const rows = rules.state.lrpsOf(process_guid).filter(({ presence }) => presence === 'ORDINARY');
          // Diego looks at indices only where the count is wrong, and stops what is too much by its cell.
          expect(rows.length).toBeGreaterThanOrEqual(instances);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('lines of the journal', () => {
  test('hold every row to the last number', () => {
    const rules = new Rules();
    const routes = { routes: { 'cf-router': Buffer.from('[{"port":8080}]') } };
    rules.call('desire_lrp', { desired_lrp: aDesired('p', { routes, start_timeout_ms: 9_007_199_254_740_993n }) });
    rules.call('start', { ...aStart('p', 'i'), metric_tags: { umlaut: 'ä "quoted" 🙂\n' } });
    rules.call('upsert_domain', { domain: 'for ever', ttl: 0 });
    rules.call('desire_task', { task_guid: 't', domain: 'd', task_definition: aDefinition() });
    const resource = { key: 'k', owner: 'o', value: '{}', type: 'presence', type_code: 'PRESENCE' as const };
    const entries: Entry[] = [
      ...rules.changes,
      { put: 'lock', row: { resource, ttl_in_seconds: 15n } },
      { drop: 'lock', key: 'k' },
      { drop: 'lrp', process_guid: 'p', index: 0, presence: 'SUSPECT' },
    ];
    expect(readEntries(writeEntry(entries), 'journal')).toEqual(entries);
  });

  test('that are none of ours are told with their place', () => {
    expect(() => readEntries(`${writeEntry([])}{"half\n`, 'journal-3.jsonl')).toThrow('journal-3.jsonl line 2');
  });
});

describe('reads of r2', () => {
  const read = (name: string) => {
    const path = join(root, 'test/fixtures/diego/bbs', `${name}.json`);
    const { response_hex } = JSON.parse(readFileSync(path, 'utf8')) as { response_hex: string };
    return decode('models.DesiredLRPResponse', Buffer.from(response_hex, 'hex')).desired_lrp;
  };
  test('image layers are told as downloads, as the real one does', () => {
    const [r3, r2] = [read('desired-lrp-get-r3'), read('desired-lrp-get-r2')];
    if (!r3) throw new Error('the fixture holds no desired LRP');
    expect(r3.image_layers.length).toBeGreaterThan(0);
    expect(withMetricsGuid(desiredR2(r3))).toEqual(r2);
  });
});
