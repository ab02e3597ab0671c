import { describe, expect, test } from '@jest/globals';
import type { RunOrder } from '../../../backend/cell/model.js';
import { copyFailure, downloadFailure, exitLine, outcomeOf, type Ended } from '../../../backend/convert/outcome.js';

interface Change {
  exit?: Partial<Ended['exit']>;
  order?: Partial<RunOrder>;
  stopped?: boolean;
  timed_out?: boolean;
  never_started?: boolean;
}

const launch: RunOrder['launch'] = {
  ...{ command: { kind: 'program', argv: ['/app'] }, process_type: 'web', user: 'vcap', env: [] },
  ...{ log_source: 'APP/PROC/WEB', suppress_output: false },
};

function anEnd({ exit, order, stopped = false, timed_out = false, never_started = false }: Change): Ended {
  return {
    order: {
      launch,
      health: {
        ...{ startup: [], liveness: [], readiness: [], log_source: 'HEALTH' },
        ...{ start_timeout_ms: 60_000, startup_interval_ms: 2000 },
      },
      wrapped: ['codependent'],
      ...order,
    },
    exit: { reason: 'exited', message: 'it ended', at: 0, ...exit },
    instance: {
      handle: {
        ...{ provider: 'fake', key: 'k', owner: 'o/c', version: 1, ports: [], data: {} },
        address: '10.201.0.2',
      },
      ...(never_started ? {} : { started_at: 1 }),
    },
    stopped,
    timed_out,
  };
}

const port = { kind: 'port', port: 8080, timeout_ms: 1000 } as const;
const http = { kind: 'http', port: 8080, path: '/health', timeout_ms: 2500 } as const;
const look = { took_ms: 12, message: 'by the executor' } as const;

describe('the reason', () => {
  test.each<[why: string, change: Change, reason: string]>([
    ['a status', { exit: { code: 17 } }, 'APP/PROC/WEB: Exited with status 17'],
    ['status 0 beside something else', { exit: { code: 0 } }, 'Codependent step exited'],
    ['status 0 of a plain program', { exit: { code: 0 }, order: { wrapped: [] } }, ''],
    ['a status within a try', { exit: { code: 1 }, order: { wrapped: ['try'] } }, ''],
    [
      'a try beside something else',
      { exit: { code: 1 }, order: { wrapped: ['try', 'codependent'] } },
      'Codependent step exited',
    ],
    ['no memory', { exit: { reason: 'oom', code: 137 } }, 'APP/PROC/WEB: Exited with status 137 (out of memory)'],
    ['a machine that vanished', { exit: { reason: 'killed' } }, 'APP/PROC/WEB: Exited with status 137'],
    ['a panic', { exit: { reason: 'kernel_panic' } }, 'APP/PROC/WEB: Exited with status 137 (kernel panic)'],
    ['an end whose status was never told', { exit: {} }, 'APP/PROC/WEB: Exited with status 255'],
    [
      'a failed boot',
      { exit: { reason: 'boot_failed', message: 'no kernel' } },
      'failed to create container: no kernel',
    ],
    [
      'a stop before the boot',
      { exit: { reason: 'stopped' }, stopped: true, never_started: true },
      'stopped-before-running',
    ],
    ['a stop', { exit: { reason: 'stopped', code: 143 }, stopped: true }, 'cancelled'],
    [
      'its time',
      { exit: { reason: 'stopped', code: 143 }, timed_out: true, order: { timeout_ms: 900_000 } },
      'exceeded 15m0s timeout',
    ],
    [
      'never a listener',
      { exit: { reason: 'start_timeout', check: { failure: { check: port, why: 'refused', ...look }, attempts: 30 } } },
      'Instance never healthy after 1m0s: Timed out after 1m0s (30 attempts) waiting for startup check to succeed: ' +
        'failed to make TCP connection to 10.201.0.2:8080: dial tcp 10.201.0.2:8080: connect: connection refused',
    ],
    [
      'two that were never there',
      {
        exit: {
          reason: 'start_timeout',
          check: {
            failure: { check: port, why: 'refused', ...look, also: [{ check: http, why: 'refused', ...look }] },
            attempts: 2,
          },
        },
      },
      'Instance never healthy after 1m0s: ' +
        'Timed out after 1m0s (2 attempts) waiting for startup check to succeed: ' +
        'failed to make TCP connection to 10.201.0.2:8080: dial tcp 10.201.0.2:8080: connect: connection refused; ' +
        'Timed out after 1m0s (2 attempts) waiting for startup check to succeed: ' +
        "failed to make HTTP request to '/health' on port 8080: connection refused",
    ],
    [
      'a monitor of its own',
      {
        exit: {
          reason: 'unhealthy',
          check: { failure: { check: { kind: 'guest' }, why: 'failed', ...look }, attempts: 1 },
        },
      },
      'Instance became unhealthy: by the executor',
    ],
    [
      'several programs',
      {
        order: { programs: { codependent: [{ run: launch }, { run: { ...launch, log_source: 'SIDE' } }] } },
        exit: { code: 1, programs: [{ program: 1, code: 1 }] },
      },
      'SIDE: Exited with status 1',
    ],
    [
      'several programs, and none told of its end',
      { order: { programs: { parallel: [{ run: launch }, { run: launch }] } }, exit: { reason: 'killed' } },
      'APP/PROC/WEB: Exited with status 137',
    ],
    [
      'a listener that falls silent',
      { exit: { reason: 'unhealthy', check: { failure: { check: port, why: 'timed_out', ...look }, attempts: 1 } } },
      'Instance became unhealthy: Liveness check unsuccessful: ' +
        'failed to make TCP connection to 10.201.0.2:8080: timed out after 1.00 seconds',
    ],
    [
      'a bad status',
      {
        exit: {
          reason: 'unhealthy',
          check: { failure: { check: http, why: 'status', status: 503, ...look }, attempts: 1 },
        },
      },
      'Instance became unhealthy: Liveness check unsuccessful: ' +
        "failed to make HTTP request to '/health' on port 8080: received status code 503 in 12ms",
    ],
    [
      'a slow answer',
      { exit: { reason: 'unhealthy', check: { failure: { check: http, why: 'timed_out', ...look }, attempts: 1 } } },
      'Instance became unhealthy: Liveness check unsuccessful: ' +
        "failed to make HTTP request to '/health' on port 8080: timed out after 2.50 seconds",
    ],
    [
      'no check known',
      { exit: { reason: 'unhealthy', message: 'said the executor' } },
      'Instance became unhealthy: said the executor',
    ],
  ])('of %s', (_why, change, reason) => {
    const outcome = outcomeOf(anEnd(change));
    expect(outcome.reason).toBe(reason);
    expect(outcome.failed).toBe(reason !== '');
    expect(outcome.retryable).toBe(reason.startsWith('failed to create'));
  });

  test('is cut', () => {
    const { reason } = outcomeOf(anEnd({ exit: { reason: 'boot_failed', message: 'x'.repeat(20_000) } }));
    expect(reason).toHaveLength(10_000);
  });
});

describe('a result file', () => {
  const order = { wrapped: [], result_file: '/tmp/result.json' };
  test.each<[why: string, exit: Partial<Ended['exit']>, expected: object]>([
    ['that was read', { code: 0, result: { content: '{}' } }, { failed: false, reason: '', result: '{}' }],
    ['that is empty', { code: 0, result: { content: '' } }, { failed: false, result: '' }],
    [
      'that could not be read',
      { code: 0, result: { error: 'too large' } },
      { failed: true, reason: 'failed to fetch result' },
    ],
    ['that never came', { code: 0 }, { failed: true, reason: 'failed to fetch result' }],
  ])('%s', (_why, exit, expected) => {
    expect(outcomeOf(anEnd({ exit, order }))).toMatchObject(expected);
  });

  test('of a failed task is not told', () => {
    const outcome = outcomeOf(anEnd({ exit: { code: 222, result: { content: '{}' } }, order }));
    expect(outcome).toEqual({ failed: true, reason: 'APP/PROC/WEB: Exited with status 222', retryable: false });
  });
});

describe('the exit line', () => {
  test.each<[why: string, change: Change, line: string | undefined]>([
    ['tells the status', { exit: { code: 3 } }, 'Exit status 3'],
    ['tells status 0', { exit: { code: 0 } }, 'Exit status 0'],
    ['tells of the memory', { exit: { reason: 'oom', code: 137 } }, 'Exit status 137 (out of memory)'],
    ['tells of a polite end', { exit: { reason: 'stopped', code: 143 }, stopped: true }, 'Exit status 143'],
    [
      'tells of an end by force',
      { exit: { reason: 'stopped' }, stopped: true },
      'Exit status 137 (exceeded 10s graceful shutdown interval)',
    ],
    ['is not there when nothing ran', { exit: { reason: 'boot_failed' } }, undefined],
    ['nor before the machine', { exit: { reason: 'stopped' }, never_started: true, stopped: true }, undefined],
  ])('%s', (_why, change, line) => {
    expect(exitLine(anEnd(change))).toBe(line);
  });
});

describe('what could not be brought', () => {
  test('a dependency lets a task be placed anew', () => {
    expect(downloadFailure({ artifact: 'lib', dependency: true })).toEqual({
      ...{ failed: true, reason: 'failed to download cached artifacts', retryable: true },
    });
  });

  test('a droplet is named', () => {
    expect(downloadFailure({ artifact: 'droplet' })).toMatchObject({
      reason: 'Downloading droplet failed',
      retryable: false,
    });
    expect(copyFailure({ artifact: 'droplet' }, 'no image').reason).toBe(
      'Copying droplet into the container failed: no image',
    );
  });
});
