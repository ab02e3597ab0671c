import { describe, expect, test } from '@jest/globals';
import { aDesired, aKey, aStart, both, Rules } from '../../../support/rules.js';

const SECOND = 1_000;

function running(instances = 1): Rules {
  const rules = new Rules();
  rules.cell('cell-b');
  rules.call('desire_lrp', { desired_lrp: aDesired('p', { instances }) });
  for (let index = 0; index < instances; index++) rules.call('start', aStart('p', `i${index}`, 'cell-a', index));
  rules.done();
  rules.told();
  return rules;
}

function crashed(): Rules {
  const rules = running();
  for (let n = 0; n < 3; n++) {
    rules.call('start', aStart('p', 'i0'));
    rules.call('crash', { ...both('p', 'i0'), error_message: 'oops' });
  }
  rules.done();
  rules.told();
  return rules;
}

describe('convergence of LRPs (bbs db/sqldb/lrp_convergence.go)', () => {
  test('what is right stays as it is', () => {
    const rules = running(3);
    rules.converge();
    expect([rules.done(), rules.told()]).toEqual([[], []]);
  });

  test('an index without a row is made and auctioned', () => {
    const rules = running(2);
    rules.call('remove', { ...aKey('p', 1), actual_lrp_instance_key: { instance_guid: 'i1', cell_id: 'cell-a' } });
    rules.told();
    rules.converge();
    expect(rules.rows()).toEqual(['p/0 ORDINARY RUNNING i0', 'p/1 ORDINARY UNCLAIMED']);
    expect([rules.done(), rules.told()]).toEqual([['auction p[1]'], ['actual_lrp_instance_created']]);
  });

  test('an unclaimed row is auctioned again after 30 s, and each time from then on', () => {
    const rules = new Rules();
    rules.call('desire_lrp', { desired_lrp: aDesired('p') });
    rules.done();
    const asked = [29, 2, 1, 1].map((s) => {
      rules.later(s * SECOND);
      rules.converge();
      return rules.done();
    });
    expect(asked).toEqual([[], ['auction p[0]'], ['auction p[0]'], ['auction p[0]']]);
  });

  test('a crashed one comes back when its time has come', () => {
    const rules = crashed();
    rules.later(29 * SECOND);
    rules.converge();
    expect(rules.rows()).toEqual(['p/0 ORDINARY CRASHED']);
    rules.later(2 * SECOND);
    rules.converge();
    expect(rules.rows()).toEqual(['p/0 ORDINARY UNCLAIMED']);
    expect(rules.done()).toEqual(['auction p[0]']);
    expect(rules.told()).toEqual(['actual_lrp_instance_created', 'actual_lrp_instance_removed']);
  });

  test.each<[why: string, ttl: number | undefined, wait_ms: number, rows: string[], effects: string[]]>([
    ['not in a domain never heard of', undefined, 0, ['orphan/0 ORDINARY RUNNING i'], []],
    ['in a fresh domain', 120, 0, ['orphan/0 ORDINARY RUNNING i'], ['stop i on cell-a']],
    ['not in one that has expired', 120, 121 * SECOND, ['orphan/0 ORDINARY RUNNING i'], []],
    ['in one that never expires', 0, 1e9, ['orphan/0 ORDINARY RUNNING i'], ['stop i on cell-a']],
  ])('an orphan is stopped: %s', (_why, ttl, wait_ms, rows, effects) => {
    const rules = new Rules();
    rules.call('start', aStart('orphan', 'i'));
    if (ttl !== undefined) rules.call('upsert_domain', { domain: 'd', ttl });
    rules.later(wait_ms);
    rules.converge();
    expect([rules.rows(), rules.done()]).toEqual([rows, effects]);
  });

  test('an index too many is stopped only in a fresh domain', () => {
    const rules = running(1);
    rules.call('start', aStart('p', 'extra', 'cell-a', 7));
    rules.converge();
    expect(rules.done()).toEqual([]);
    rules.call('upsert_domain', { domain: 'd', ttl: 120 });
    rules.converge();
    expect(rules.done()).toEqual(['stop extra on cell-a']);
  });

  describe('a cell that is gone', () => {
    function lost(): Rules {
      const rules = running();
      rules.cells.delete('cell-a');
      rules.converge();
      return rules;
    }

    test('leaves a suspect, beside which a replacement is auctioned', () => {
      const rules = lost();
      expect(rules.rows()).toEqual(['p/0 ORDINARY UNCLAIMED', 'p/0 SUSPECT RUNNING i0']);
      expect(rules.done()).toEqual(['auction p[0]']);
      expect(rules.told()).toEqual(['actual_lrp_instance_changed', 'actual_lrp_instance_created']);
    });

    test('that returns has its instance back, and the replacement goes', () => {
      const rules = lost();
      rules.call('claim', { ...aKey('p'), actual_lrp_instance_key: { instance_guid: 'new', cell_id: 'cell-b' } });
      rules.told();
      rules.cell('cell-a');
      rules.converge();
      expect(rules.rows()).toEqual(['p/0 ORDINARY RUNNING i0']);
      expect(rules.told().toSorted()).toEqual(['actual_lrp_instance_changed', 'actual_lrp_instance_removed']);
    });

    test('has its suspect removed once the replacement runs', () => {
      const rules = lost();
      rules.call('start', aStart('p', 'new', 'cell-b'));
      expect(rules.rows()).toEqual(['p/0 ORDINARY RUNNING new']);
    });

    test('and whose replacement is lost too is placed anew, but not auctioned at once', () => {
      const rules = lost();
      rules.call('claim', { ...aKey('p'), actual_lrp_instance_key: { instance_guid: 'new', cell_id: 'cell-b' } });
      rules.done();
      rules.cells.delete('cell-b');
      rules.cell('cell-c');
      rules.converge();
      expect(rules.rows()).toEqual(['p/0 ORDINARY UNCLAIMED', 'p/0 SUSPECT RUNNING i0']);
      expect(rules.done()).toEqual([]);
    });

    test('has its evacuating rows dropped', () => {
      const rules = running();
      rules.call('evacuate_running', aStart('p', 'i0'));
      rules.cells.delete('cell-a');
      rules.converge();
      expect(rules.rows()).toEqual(['p/0 ORDINARY UNCLAIMED']);
    });

    test('was the last: all count as lost', () => {
      const rules = running();
      rules.cells.clear();
      rules.converge();
      expect(rules.rows()).toEqual(['p/0 ORDINARY UNCLAIMED', 'p/0 SUSPECT RUNNING i0']);
    });
  });

  test('a cell is told of routes and tags until its instance carries them', () => {
    const rules = new Rules();
    const routes = { routes: { 'internal-router': Buffer.from('[{"hostname":"a.apps.internal"}]') } };
    const metric_tags = {
      source_id: { static: 's', dynamic: 'DynamicValueInvalid' as const },
      index: { static: '', dynamic: 'INDEX' as const },
    };
    rules.call('desire_lrp', { desired_lrp: aDesired('p', { routes, metric_tags }) });
    rules.call('start', { ...aStart('p', 'i'), metric_tags: { source_id: 'other' } });
    rules.done();
    const wanted = ['update i ["a.apps.internal"]', 'update i {"source_id":"s","index":"0"}'];
    for (const _round of [1, 2]) {
      rules.converge();
      expect(rules.done()).toEqual(wanted);
    }
    rules.call('start', {
      ...aStart('p', 'i'),
      metric_tags: { index: '0', source_id: 's' },
      actual_lrp_internal_routes: [{ hostname: 'a.apps.internal' }],
    });
    rules.converge();
    expect(rules.done()).toEqual([]);
  });
});

describe('desire, update, remove (bbs handlers/desired_lrp_handlers.go)', () => {
  test('scaling up starts what is new, scaling down stops what is too much', () => {
    const rules = running(2);
    const scale = (instances: number): unknown =>
      rules.call('update_lrp', { process_guid: 'p', update: { instances, metric_tags: {} } });
    scale(4);
    expect(rules.done()).toEqual(['auction p[2,3]']);
    scale(1);
    expect(rules.rows()).toEqual(['p/0 ORDINARY RUNNING i0', 'p/1 ORDINARY RUNNING i1']);
    expect(rules.done()).toEqual(['stop i1 on cell-a']);
    expect(rules.state.desired.get('p')?.modification_tag?.index).toBe(2);
  });

  test('an update without a count changes no count', () => {
    const rules = running(2);
    rules.call('update_lrp', { process_guid: 'p', update: { annotation: 'new', metric_tags: {} } });
    expect(rules.state.desired.get('p')).toMatchObject({ instances: 2, annotation: 'new' });
    expect(rules.done()).toEqual([]);
  });

  test('new routes and tags go to every instance at once, only the part that changed', () => {
    const rules = running(2);
    const routes = { routes: { 'internal-router': Buffer.from('[{"hostname":"a"}]') } };
    rules.call('update_lrp', { process_guid: 'p', update: { routes, metric_tags: {} } });
    expect(rules.done()).toEqual(['update i0 ["a"]', 'update i1 ["a"]']);
    rules.call('update_lrp', { process_guid: 'p', update: { routes, metric_tags: {} } });
    expect(rules.done()).toEqual([]);
    const metric_tags = { source_id: { static: 'z', dynamic: 'DynamicValueInvalid' as const } };
    rules.call('update_lrp', { process_guid: 'p', update: { metric_tags } });
    expect(rules.done()).toEqual(['update i0 {"source_id":"z"}', 'update i1 {"source_id":"z"}']);
  });

  test('removing stops what runs and drops what waits', () => {
    const rules = running(2);
    rules.call('crash', { ...both('p', 'i1', 'cell-a', 1), error_message: '' });
    rules.done();
    rules.call('remove_lrp', { process_guid: 'p' });
    expect(rules.rows()).toEqual(['p/0 ORDINARY RUNNING i0']);
    expect(rules.done()).toEqual(['stop i0 on cell-a']);
  });
});
