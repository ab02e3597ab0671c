/** The embedded BBS refuses in the real one's words: requests and refusals captured from it (test/fixtures/diego). */
import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BBS_ROUTES, type BbsCall } from '../../../../backend/wire/bbs-routes.js';
import { aDefinition, aDesired, aStart, both, Rules } from '../../../support/rules.js';
import { root } from '../../../support/unik.js';

interface Fixture {
  path: string;
  request_hex: string;
  response: { error: { type?: string; message: string } };
}

const read = (name: string): Fixture =>
  JSON.parse(readFileSync(join(root, 'test/fixtures/diego/bbs', `${name}.json`), 'utf8')) as Fixture;

const callOf = (path: string): BbsCall =>
  (Object.keys(BBS_ROUTES) as BbsCall[]).find((name) => BBS_ROUTES[name].path === path) ?? 'ping';

const cfApps = { domain: 'cf-apps' };
const p1 = (rules: Rules): void => void rules.call('desire_lrp', { desired_lrp: aDesired('p1', cfApps) });
const p1Running = (rules: Rules): void => {
  p1(rules);
  const start = aStart('p1', 'mine');
  rules.call('start', { ...start, actual_lrp_key: { ...start.actual_lrp_key, ...cfApps } });
};
const task =
  (task_guid: string) =>
  (rules: Rules): void =>
    void rules.call('desire_task', { task_guid, domain: 'd', task_definition: aDefinition() });
const running =
  (guid: string) =>
  (rules: Rules): void => {
    task(guid)(rules);
    rules.call('start_task', { task_guid: guid, cell_id: 'cell-a' });
  };
const completed =
  (guid: string) =>
  (rules: Rules): void => {
    running(guid)(rules);
    rules.call('complete_task', { task_guid: guid, cell_id: 'cell-a', failed: false, failure_reason: '', result: '' });
  };
const rejectedTooOften = (rules: Rules): void => {
  task('t4')(rules);
  for (let n = 0; n < 4; n++) rules.call('reject_task', { task_guid: 't4', rejection_reason: 'no room' });
};
const nothing = (): void => undefined;

describe('refusals are those of the real BBS', () => {
  test.each<[name: string, before: (rules: Rules) => void]>([
    ['err-empty-body', nothing],
    ['err-claim-empty-instance', nothing],
    ['err-claim-unknown', nothing],
    ['err-claim-negative-index', nothing],
    ['err-start-no-address', nothing],
    ['err-evacuate-crashed-no-reason', nothing],
    ['err-invalid-request-desire', nothing],
    ['err-task-invalid', nothing],
    ['err-reject-no-reason', nothing],
    ['err-resource-not-found', nothing],
    ['err-remove-desired-unknown', nothing],
    ['err-update-unknown', nothing],
    ['err-evacuate-stopped-gone', nothing],
    ['err-remove-evacuating-none', nothing],
    ['err-remove-evacuating-wrong', nothing],
    ['err-cancel-unknown', nothing],
    ['err-complete-unknown', nothing],
    ['err-task-start-unknown', nothing],
    ['err-resource-exists', p1],
    ['err-cannot-be-claimed', p1Running],
    ['err-cannot-be-started', p1Running],
    ['err-cannot-be-crashed', p1Running],
    ['err-cannot-be-failed', p1Running],
    ['err-remove-wrong-instance', p1Running],
    ['err-complete-pending', task('t1')],
    ['err-delete-pending', task('t1')],
    ['err-resolve-pending', task('t1')],
    ['err-running-on-different-cell', running('t1')],
    ['err-task-start-other-cell', running('t1')],
    ['err-cancel-completed', completed('t3b')],
    ['err-complete-completed', completed('t3b')],
    ['err-start-completed', completed('t3b')],
    ['err-reject-completed', rejectedTooOften],
  ])('%s', (name, before) => {
    const rules = new Rules();
    before(rules);
    const { path, request_hex, response } = read(name);
    const rows = rules.rows();
    const { type = 'UnknownError', message } = response.error;
    expect(rules.bytes(callOf(path), request_hex)).toBe(`${type}: ${message}`);
    // A refused command leaves nothing behind.
    expect(rules.rows()).toEqual(rows);
  });

  test.each(['desire-lrp-minimal', 'desire-lrp-full', 'desire-lrp-full-no-volume', 'desire-task-full'])(
    '%s is accepted',
    (name) => {
      const { path, request_hex } = read(name);
      expect(new Rules().bytes(callOf(path), request_hex)).toEqual({});
    },
  );

  test('a suspect may claim and start in vain', () => {
    const rules = new Rules();
    rules.call('desire_lrp', { desired_lrp: aDesired('p') });
    rules.call('start', aStart('p', 'i1'));
    rules.cells.clear();
    rules.converge();
    const before = rules.rows();
    expect(rules.call('start', aStart('p', 'i1'))).toEqual({});
    const { actual_lrp_instance_key } = both('p', 'i1');
    expect(rules.call('claim', { process_guid: 'p', index: 0, actual_lrp_instance_key })).toEqual({});
    expect(rules.rows()).toEqual(before);
    expect(before).toEqual(['p/0 ORDINARY UNCLAIMED', 'p/0 SUSPECT RUNNING i1']);
  });
});
