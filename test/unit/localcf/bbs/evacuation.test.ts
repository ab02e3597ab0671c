import { describe, expect, test } from '@jest/globals';
import { aDesired, aKey, anInstance, aStart, both, Rules } from '../../../support/rules.js';

function running(members: Parameters<typeof aDesired>[1] = {}): Rules {
  const rules = new Rules();
  rules.cell('cell-b');
  rules.call('desire_lrp', { desired_lrp: aDesired('p', members) });
  rules.call('start', aStart('p', 'old'));
  rules.done();
  rules.told();
  return rules;
}

const evacuate = (rules: Rules, who = 'old', cell = 'cell-a'): unknown =>
  rules.call('evacuate_running', aStart('p', who, cell));

describe('evacuation (bbs controllers/evacuation_controller.go)', () => {
  test('a running instance serves on until its replacement runs', () => {
    const rules = running();
    expect(evacuate(rules)).toEqual({ keep_container: true });
    expect(rules.rows()).toEqual(['p/0 EVACUATING RUNNING old', 'p/0 ORDINARY UNCLAIMED']);
    expect(rules.done()).toEqual(['auction p[0]']);
    expect(rules.told()).toEqual(['actual_lrp_instance_changed', 'actual_lrp_instance_created']);
    expect(evacuate(rules)).toEqual({ keep_container: true });
    rules.call('start', aStart('p', 'new', 'cell-b'));
    expect(rules.rows()).toEqual(['p/0 ORDINARY RUNNING new']);
    expect(evacuate(rules)).toEqual({ keep_container: false });
  });

  test('one that is claimed is placed anew', () => {
    const rules = running();
    rules.call('claim', { ...aKey('p'), actual_lrp_instance_key: anInstance('old') });
    expect(rules.call('evacuate_claimed', both('p', 'old'))).toEqual({});
    expect([rules.rows(), rules.done()]).toEqual([['p/0 ORDINARY UNCLAIMED'], ['auction p[0]']]);
  });

  test('a stopped one is dropped without an auction', () => {
    const rules = running();
    rules.call('evacuate_stopped', both('p', 'old'));
    expect([rules.rows(), rules.done()]).toEqual([[], []]);
  });

  test('a crashed one waits for convergence', () => {
    const rules = running();
    rules.call('evacuate_crashed', { ...both('p', 'old'), error_message: 'oops' });
    expect([rules.rows(), rules.done()]).toEqual([['p/0 ORDINARY UNCLAIMED'], []]);
  });

  test('remove_evacuating takes the evacuating row only', () => {
    const rules = running();
    expect(rules.call('remove_evacuating', both('p', 'old'))).toMatch(/^ResourceNotFound/);
    evacuate(rules);
    expect(rules.call('remove_evacuating', both('p', 'other'))).toMatch(/^ResourceNotFound/);
    expect(rules.call('remove_evacuating', both('p', 'old'))).toEqual({});
    expect(rules.rows()).toEqual(['p/0 ORDINARY UNCLAIMED']);
  });

  test('when nothing is wanted any more the container goes', () => {
    const rules = running();
    evacuate(rules);
    rules.call('remove_lrp', { process_guid: 'p' });
    expect(rules.rows()).toEqual(['p/0 EVACUATING RUNNING old']);
    expect(evacuate(rules)).toEqual({ keep_container: false });
    expect(rules.rows()).toEqual([]);
  });

  test('update strategy RECREATE has none beside its replacement, and one at a time', () => {
    const rules = running({ update_strategy: 'RECREATE', instances: 2 });
    // The other one does not run yet.
    expect(evacuate(rules)).toEqual({ keep_container: true });
    rules.call('start', aStart('p', 'other', 'cell-b', 1));
    expect(evacuate(rules)).toEqual({ keep_container: false });
    expect(rules.rows()).toEqual(['p/0 ORDINARY UNCLAIMED', 'p/1 ORDINARY RUNNING other']);
    expect(rules.done()).toEqual(['auction p[0]']);
  });
});
