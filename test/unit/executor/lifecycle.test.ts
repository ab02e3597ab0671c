import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isEnding, step, type Effect, type InstanceEvent } from '../../../executor/lifecycle.js';
import type { Instance, MachineHandle, Phase } from '../../../executor/model.js';
import { aSpec } from '../../support/executor.js';

const handle: MachineHandle = { provider: 'fake', key: 'k', owner: 'o', version: 1, ports: [], data: {} };
const spec = aSpec({ key: 'k' });

const anInstance = (over: Partial<Instance> = {}): Instance => ({
  schema: 1,
  spec,
  phase: 'reserved',
  charge: { memory_mb: 64, disk_mb: 0 },
  stop_requested: false,
  ready: false,
  ignored_events: 0,
  reserved_at: 0,
  ...over,
});

const inPhase = (phase: Phase): Instance =>
  anInstance({ phase, ...(phase === 'created' || phase === 'running' ? { handle } : {}) });

const EVENTS: InstanceEvent[] = [
  { type: 'run' },
  { type: 'machine_started', handle },
  { type: 'start_failed', error: 'machine_failed', message: 'no' },
  { type: 'check_passed' },
  { type: 'start_timeout', message: 'late' },
  { type: 'check_failed', message: 'ill' },
  { type: 'readiness_changed', ready: true },
  { type: 'readiness_changed', ready: false },
  { type: 'stop', grace_ms: 5 },
  { type: 'machine_exited', exit: { reason: 'exited', code: 3, message: 'ended' } },
  { type: 'recovered', handle },
  { type: 'recovered' },
  { type: 'cleared' },
];
const ofType = (type: InstanceEvent['type']): InstanceEvent => {
  const event = EVENTS.find((candidate) => candidate.type === type);
  if (!event) throw new Error(type);
  return event;
};
const does = (effects: readonly Effect[]): string[] =>
  effects.map((effect) => (effect.do === 'announce' ? effect.type : effect.do));

test.each<[why: string, now: Phase, event: InstanceEvent['type'], next: Phase, effects: string[]]>([
  ['a run boots', 'reserved', 'run', 'initializing', ['initializing', 'boot']],
  ['a stop before the boot completes', 'reserved', 'stop', 'completed', ['end_checks', 'completed']],
  ['a stop while booting waits', 'initializing', 'stop', 'initializing', ['call_off_boot']],
  ['a failed start completes', 'initializing', 'start_failed', 'completed', ['end_checks', 'completed']],
  [
    'a machine is watched and checked',
    'initializing',
    'machine_started',
    'created',
    ['created', 'watch', 'await_startup'],
  ],
  ['a passed check makes it run', 'created', 'check_passed', 'running', ['running', 'ready', 'watch_health']],
  ['too late is halted', 'created', 'start_timeout', 'created', ['end_checks', 'halt']],
  ['an early end counts', 'created', 'machine_exited', 'completed', ['end_checks', 'completed', 'clear']],
  ['ill is halted', 'running', 'check_failed', 'running', ['end_checks', 'halt']],
  ['a stop halts', 'running', 'stop', 'running', ['end_checks', 'halt']],
  ['an end completes', 'running', 'machine_exited', 'completed', ['end_checks', 'completed', 'clear']],
  ['late health is ignored', 'completed', 'check_passed', 'completed', []],
  [
    'a boot is repeated after our restart',
    'initializing',
    'recovered',
    'created',
    ['created', 'watch', 'await_startup'],
  ],
  ['a running one is watched again', 'running', 'recovered', 'running', ['watch', 'watch_health']],
])('%s', (_why, phase, type, next, effects) => {
  const result = step(inPhase(phase), ofType(type), 7);
  expect(result.next.phase).toBe(next);
  expect(does(result.effects)).toEqual(effects);
});

test.each<[why: string, now: Instance, reason: string]>([
  ['by itself', inPhase('running'), 'exited'],
  ['asked to', { ...inPhase('running'), stop_requested: true }, 'stopped'],
  ['unhealthy', { ...inPhase('running'), ending: { reason: 'unhealthy', message: 'ill' } }, 'unhealthy'],
  ['too late', { ...inPhase('created'), ending: { reason: 'start_timeout', message: 'late' } }, 'start_timeout'],
])('the exit says why: %s', (_why, now, reason) => {
  const { exit } = step(now, ofType('machine_exited'), 7).next;
  expect(exit).toMatchObject({ reason, code: 3, at: 7 });
});

describe('recovery', () => {
  test('boots again what was never started, unless it was to stop', () => {
    expect(does(step(inPhase('initializing'), { type: 'recovered' }, 1).effects)).toEqual(['boot']);
    const stopped = step({ ...inPhase('initializing'), stop_requested: true }, { type: 'recovered' }, 1).next;
    expect(stopped).toMatchObject({ phase: 'completed', exit: { reason: 'stopped' } });
  });

  test('completes what has gone, takes up a stop, and clears what remains', () => {
    expect(step(inPhase('running'), { type: 'recovered' }, 1).next.exit?.reason).toBe('killed');
    const stopping = { ...inPhase('running'), stop_requested: true };
    expect(does(step(stopping, { type: 'recovered', handle }, 1).effects)).toEqual(['watch', 'halt']);
    expect(does(step(anInstance({ phase: 'completed', handle }), { type: 'recovered' }, 1).effects)).toEqual(['clear']);
  });
});

describe('whatever happens', () => {
  const readiness = { check: { kind: 'process' as const }, interval_ms: 1, failures: 1 };
  const specs = [spec, { ...spec, health: { ...spec.health, readiness } }];
  const histories = fc.tuple(fc.constantFrom(...specs), fc.array(fc.constantFrom(...EVENTS), { maxLength: 30 }));
  const walk = (start: Instance, events: InstanceEvent[], see: (before: Instance, event: InstanceEvent) => void) =>
    events.reduce((now, event, at) => {
      see(now, event);
      return step(now, event, at).next;
    }, start);

  test('completed is final, phases only go forward, and ready means running', () => {
    const order: Phase[] = ['reserved', 'initializing', 'created', 'running', 'completed'];
    fc.assert(
      fc.property(histories, ([of, events]) => {
        walk(anInstance({ spec: of }), events, (before, event) => {
          const { next } = step(before, event, 1);
          expect(order.indexOf(next.phase)).toBeGreaterThanOrEqual(order.indexOf(before.phase));
          if (next.ready) expect(next.phase).toBe('running');
          if (next.phase === 'completed') expect(next.exit).toBeDefined();
          if (before.phase === 'completed') expect(next.exit).toEqual(before.exit);
        });
      }),
    );
  });

  test('a handle is dropped by `cleared` only, and what has one is watched or cleared', () => {
    fc.assert(
      fc.property(histories, ([of, events]) => {
        walk(anInstance({ spec: of }), events, (before, event) => {
          const { next, effects } = step(before, event, 1);
          if (before.handle && !next.handle) expect(event.type).toBe('cleared');
          if (!before.handle && next.handle)
            expect(does(effects)).toContain(next.phase === 'completed' ? 'clear' : 'watch');
          if (before.phase !== 'completed' && next.phase === 'completed' && next.handle) {
            expect(does(effects)).toContain('clear');
          }
        });
      }),
    );
  });

  test('once a stop was asked, a machine that comes up is halted and the exit says stopped', () => {
    fc.assert(
      fc.property(histories, ([of, events]) => {
        const end = walk(anInstance({ spec: of }), events, (before, event) => {
          const { next, effects } = step(before, event, 1);
          if (before.stop_requested && before.phase === 'initializing' && next.phase === 'created') {
            expect(does(effects)).toContain('halt');
          }
          if (isEnding(before) && before.phase !== 'completed') expect(does(effects)).not.toContain('await_startup');
          if (before.stop_requested && next.phase === 'completed') expect(next.exit?.reason).toBe('stopped');
        });
        if (end.phase !== 'completed') expect(end.exit).toBeUndefined();
      }),
    );
  });

  test('an event that changes nothing is counted and has no effects', () => {
    fc.assert(
      fc.property(histories, ([of, events]) => {
        walk(anInstance({ spec: of }), events, (before, event) => {
          const { next, effects } = step(before, event, 1);
          if (next.ignored_events === before.ignored_events) return;
          expect(next).toEqual({ ...before, ignored_events: before.ignored_events + 1 });
          expect(effects).toEqual([]);
        });
      }),
    );
  });
});
