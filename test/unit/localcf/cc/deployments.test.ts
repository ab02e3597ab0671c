import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { nextMove, stepInstances, type DeploymentView } from '../../../../localcf/cc/actions/deployments.js';
import { changesOf } from '../../../../localcf/cc/actions/revisions.js';
import { noMetadata, type Deployment } from '../../../../localcf/cc/model.js';
import { base, GUIDS } from '../../../support/cc/rows.js';

const deployment = (part: Partial<Deployment> = {}): Deployment => ({
  ...base('d'),
  ...{
    app_guid: GUIDS.app,
    state: 'DEPLOYING',
    status_value: 'ACTIVE',
    status_reason: 'DEPLOYING',
    strategy: 'rolling',
  },
  ...{ last_status_change: '', max_in_flight: 1, web_instances: null, memory_in_mb: null, disk_in_mb: null },
  ...{ log_rate_limit_in_bytes_per_second: null, canary_steps: null, canary_step: 0, droplet_guid: 'x', error: null },
  ...{
    previous_droplet_guid: null,
    revision_guid: null,
    original_web_instances: 3,
    process_guid: 'new',
    metadata: noMetadata(),
  },
  ...part,
});
const view = (instances: number, running: number, olds: number[], part: Partial<Deployment> = {}): DeploymentView => ({
  deployment: deployment(part),
  current: { guid: 'new', instances },
  olds: olds.map((count, at) => ({ guid: `old-${at}`, instances: count })),
  running,
});

describe('the next move', () => {
  test.each<[why: string, view: DeploymentView, expected: object]>([
    ['waits for the first', view(1, 0, [3]), { kind: 'wait' }],
    [
      'one runs: another comes, an old one goes',
      view(1, 1, [3]),
      { kind: 'scale', instances: 2, olds: [{ guid: 'old-0', instances: 2 }] },
    ],
    [
      'as many at once as asked',
      view(1, 1, [3], { max_in_flight: 5 }),
      { kind: 'scale', instances: 3, olds: [{ guid: 'old-0', instances: 2 }] },
    ],
    [
      'the oldest go first',
      view(2, 2, [1, 2]),
      {
        kind: 'scale',
        instances: 3,
        olds: [
          { guid: 'old-0', instances: 0 },
          { guid: 'old-1', instances: 1 },
        ],
      },
    ],
    ['all run', view(3, 3, [1]), { kind: 'finish' }],
    ['a canary runs', view(1, 1, [2], { state: 'PREPAUSED' }), { kind: 'pause' }],
    ['a paused one waits', view(1, 1, [2], { state: 'PAUSED' }), { kind: 'wait' }],
    [
      'what runs takes over before all do',
      view(3, 1, [3]),
      { kind: 'scale', instances: 3, olds: [{ guid: 'old-0', instances: 2 }] },
    ],
    ['nothing to do for an app of none', view(0, 0, [], { original_web_instances: 0 }), { kind: 'finish' }],
  ])('%s', (_why, now, expected) => {
    expect(nextMove(now)).toEqual(expected);
  });

  test('whatever starts when: enough run throughout, and it comes to an end', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.nat(3), { minLength: 200, maxLength: 200 }),
        (total, max_in_flight, luck) => {
          let now = view(Math.min(max_in_flight, total), 0, [total], { original_web_instances: total, max_in_flight });
          for (const starts of luck) {
            const running = Math.min(now.current.instances, now.running + starts);
            const old = now.olds.reduce((sum, { instances }) => sum + instances, 0);
            expect(running + old).toBeGreaterThanOrEqual(total);
            const move = nextMove({ ...now, running });
            if (move.kind === 'finish') return running === total;
            now = { ...now, running };
            if (move.kind !== 'scale') continue;
            now = {
              ...now,
              current: { ...now.current, instances: move.instances },
              olds: now.olds.map((one) => move.olds.find(({ guid }) => guid === one.guid) ?? one),
            };
          }
          return luck.reduce((sum, one) => sum + one, 0) < total;
        },
      ),
    );
  });
});

test('steps of a canary', () => {
  const steps = [{ instance_weight: 1 }, { instance_weight: 50 }];
  expect([0, 1, 2].map((step) => stepInstances(steps, step, 10))).toEqual([1, 5, undefined]);
});

test('why there is a new revision', () => {
  const last = { droplet_guid: 'a', environment: { A: '1', B: '2' }, commands: { web: null }, sidecars: [] };
  expect(changesOf(last, { ...last, environment: { B: '2', A: '1' } })).toEqual([]);
  expect(changesOf(last, { ...last, droplet_guid: 'b', environment: {}, commands: { web: 'x' } })).toEqual([
    'New droplet deployed.',
    'New environment variables deployed.',
    "Custom start command added for 'web' process.",
  ]);
});
