import { describe, expect, test } from '@jest/globals';
import type { Lrp } from '../../../../localcf/bbs/model.js';
import { aDesired, aKey, anInstance, aStart, both, Rules } from '../../../support/rules.js';

type State = Lrp['state'];

function inState(state: State): Rules {
  const rules = new Rules();
  rules.call('desire_lrp', { desired_lrp: aDesired('p') });
  if (state === 'CLAIMED') rules.call('claim', { ...aKey('p'), actual_lrp_instance_key: anInstance('mine') });
  if (state === 'RUNNING') rules.call('start', aStart('p', 'mine'));
  if (state === 'CRASHED') {
    for (let n = 0; n < 3; n++) {
      rules.call('start', aStart('p', 'mine'));
      rules.call('crash', { ...both('p', 'mine'), error_message: 'oops' });
    }
  }
  rules.done();
  rules.told();
  return rules;
}

const act = {
  claim: (rules: Rules, who: string) => rules.call('claim', { ...aKey('p'), actual_lrp_instance_key: anInstance(who) }),
  start: (rules: Rules, who: string) => rules.call('start', aStart('p', who)),
  crash: (rules: Rules, who: string) => rules.call('crash', { ...both('p', who), error_message: 'oops' }),
  fail: (rules: Rules) => rules.call('fail', { actual_lrp_key: aKey('p'), error_message: 'no room' }),
  remove: (rules: Rules, who: string) =>
    rules.call('remove', { ...aKey('p'), actual_lrp_instance_key: anInstance(who) }),
};

const NO_CLAIM = 'ActualLRPCannotBeClaimed: cannot claim actual LRP';
const NO_START = 'ActualLRPCannotBeStarted: cannot start actual LRP';
const NO_CRASH = 'ActualLRPCannotBeCrashed: cannot crash actual LRP';
const NO_FAIL = 'ActualLRPCannotBeFailed: cannot fail actual LRP';
const GONE = 'ResourceNotFound: the requested resource could not be found';

describe('transitions of an actual LRP (bbs models/actual_lrp.go AllowsTransitionTo)', () => {
  test.each<[call: keyof typeof act, from: State, who: 'mine' | 'other', answer: object | string, rows: string[]]>([
    ['claim', 'UNCLAIMED', 'other', {}, ['p/0 ORDINARY CLAIMED other']],
    ['claim', 'CLAIMED', 'mine', {}, ['p/0 ORDINARY CLAIMED mine']],
    ['claim', 'CLAIMED', 'other', NO_CLAIM, ['p/0 ORDINARY CLAIMED mine']],
    ['claim', 'RUNNING', 'mine', {}, ['p/0 ORDINARY CLAIMED mine']],
    ['claim', 'RUNNING', 'other', NO_CLAIM, ['p/0 ORDINARY RUNNING mine']],
    ['claim', 'CRASHED', 'mine', NO_CLAIM, ['p/0 ORDINARY CRASHED']],
    ['start', 'UNCLAIMED', 'other', {}, ['p/0 ORDINARY RUNNING other']],
    ['start', 'CLAIMED', 'other', {}, ['p/0 ORDINARY RUNNING other']],
    ['start', 'RUNNING', 'mine', {}, ['p/0 ORDINARY RUNNING mine']],
    ['start', 'RUNNING', 'other', NO_START, ['p/0 ORDINARY RUNNING mine']],
    ['start', 'CRASHED', 'mine', NO_START, ['p/0 ORDINARY CRASHED']],
    ['crash', 'UNCLAIMED', 'mine', NO_CRASH, ['p/0 ORDINARY UNCLAIMED']],
    ['crash', 'CLAIMED', 'mine', {}, ['p/0 ORDINARY UNCLAIMED']],
    ['crash', 'CLAIMED', 'other', NO_CRASH, ['p/0 ORDINARY CLAIMED mine']],
    ['crash', 'RUNNING', 'mine', {}, ['p/0 ORDINARY UNCLAIMED']],
    ['crash', 'RUNNING', 'other', NO_CRASH, ['p/0 ORDINARY RUNNING mine']],
    ['crash', 'CRASHED', 'mine', NO_CRASH, ['p/0 ORDINARY CRASHED']],
    ['fail', 'UNCLAIMED', 'mine', {}, ['p/0 ORDINARY UNCLAIMED']],
    ['fail', 'CLAIMED', 'mine', NO_FAIL, ['p/0 ORDINARY CLAIMED mine']],
    ['fail', 'RUNNING', 'mine', NO_FAIL, ['p/0 ORDINARY RUNNING mine']],
    ['fail', 'CRASHED', 'mine', NO_FAIL, ['p/0 ORDINARY CRASHED']],
    ['remove', 'RUNNING', 'mine', {}, []],
    ['remove', 'CLAIMED', 'mine', {}, []],
    ['remove', 'RUNNING', 'other', GONE, ['p/0 ORDINARY RUNNING mine']],
  ])('%s from %s by %s', (call, from, who, answer, rows) => {
    const rules = inState(from);
    expect(act[call](rules, who)).toEqual(answer);
    expect(rules.rows()).toEqual(rows);
  });

  test('an identical start changes nothing, another address does', () => {
    const rules = inState('RUNNING');
    const before = rules.state.lrp('p', 0, 'ORDINARY');
    rules.later(1_000);
    act.start(rules, 'mine');
    expect(rules.state.lrp('p', 0, 'ORDINARY')).toBe(before);
    const start = aStart('p', 'mine');
    rules.call('start', { ...start, actual_lrp_net_info: { ...start.actual_lrp_net_info, address: '10.0.0.2' } });
    const after = rules.state.lrp('p', 0, 'ORDINARY');
    expect(after?.modification_tag.index).toBe((before?.modification_tag.index ?? 0) + 1);
    expect(after?.actual_lrp_net_info.address).toBe('10.0.0.2');
  });

  test('a start of what nobody knows makes a row', () => {
    const rules = new Rules();
    expect(rules.call('start', aStart('orphan', 'i'))).toEqual({});
    expect(rules.rows()).toEqual(['orphan/0 ORDINARY RUNNING i']);
  });

  test('a claim clears the placement error and the address', () => {
    const rules = inState('UNCLAIMED');
    act.fail(rules);
    expect(rules.state.lrp('p', 0, 'ORDINARY')?.placement_error).toBe('no room');
    act.start(rules, 'mine');
    act.claim(rules, 'mine');
    expect(rules.state.lrp('p', 0, 'ORDINARY')).toMatchObject({
      placement_error: '',
      actual_lrp_net_info: { address: '' },
    });
  });

  test('reasons are cut to 1024 characters and say so', () => {
    const rules = inState('RUNNING');
    rules.call('crash', { ...both('p', 'mine'), error_message: 'x'.repeat(2_000) });
    const { crash_reason = '' } = rules.state.lrp('p', 0, 'ORDINARY') ?? {};
    expect([crash_reason.length, crash_reason.slice(-12)]).toEqual([1024, 'x(truncated)'.slice(-12)]);
  });

  test('events: changed while it comes, created and removed when it loses its key, crashed first', () => {
    const rules = inState('UNCLAIMED');
    act.claim(rules, 'i1');
    act.start(rules, 'i1');
    expect(rules.told()).toEqual(['actual_lrp_instance_changed', 'actual_lrp_instance_changed']);
    act.crash(rules, 'i1');
    expect(rules.told()).toEqual(['actual_lrp_crashed', 'actual_lrp_instance_created', 'actual_lrp_instance_removed']);
    for (let n = 0; n < 2; n++) {
      act.start(rules, 'i2');
      rules.told();
      act.crash(rules, 'i2');
    }
    expect(rules.told()).toEqual(['actual_lrp_crashed', 'actual_lrp_instance_changed']);
  });

  test('two crashes are restarted at once, the third is not', () => {
    const rules = inState('UNCLAIMED');
    const asked = [1, 2, 3].map(() => {
      act.start(rules, 'i');
      act.crash(rules, 'i');
      return rules.done();
    });
    expect(asked).toEqual([['auction p[0]'], ['auction p[0]'], []]);
  });

  test('a crash of an LRP no longer wanted stands, and is told as not found', () => {
    const rules = new Rules();
    rules.call('start', aStart('orphan', 'i'));
    expect(rules.call('crash', { ...both('orphan', 'i'), error_message: '' })).toBe(GONE);
    expect(rules.rows()).toEqual(['orphan/0 ORDINARY UNCLAIMED']);
  });
});

describe('retire', () => {
  test.each<[from: State, rows: string[], effects: string[]]>([
    ['UNCLAIMED', [], []],
    ['CRASHED', [], []],
    ['CLAIMED', ['p/0 ORDINARY CLAIMED mine'], ['stop mine on cell-a']],
    ['RUNNING', ['p/0 ORDINARY RUNNING mine'], ['stop mine on cell-a']],
  ])('from %s', (from, rows, effects) => {
    const rules = inState(from);
    expect(rules.call('retire', { actual_lrp_key: aKey('p') })).toEqual({});
    expect([rules.rows(), rules.done()]).toEqual([rows, effects]);
  });

  test('of an instance on a cell that is gone drops the row', () => {
    const rules = inState('RUNNING');
    rules.cells.clear();
    rules.call('retire', { actual_lrp_key: aKey('p') });
    expect([rules.rows(), rules.done()]).toEqual([[], []]);
  });
});
