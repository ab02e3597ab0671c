import { describe, expect, test } from '@jest/globals';
import { healthOf } from '../../../backend/convert/checks.js';
import { CHECK_DEFAULTS } from '../../../backend/convert/context.js';
import type { Sent } from '../../../backend/wire/codec.js';
import type { HealthOrder } from '../../../backend/cell/model.js';
import type { DesiredLRP } from '../../../protos/generated.js';
import { aDesiredLrp } from '../../support/cell/definitions.js';

const health = (change: Sent<DesiredLRP>): HealthOrder => healthOf(aDesiredLrp(change), CHECK_DEFAULTS);
const monitor = (path: string, args: string[] = [], ports = [9000, 8080]): HealthOrder =>
  health({ ports, monitor: { timeout_action: { action: { run_action: { path, args } }, timeout_ms: 600_000n } } });

describe('a check definition', () => {
  test('says all', () => {
    const { startup, liveness, readiness, ...rest } = health({
      start_timeout_ms: 60_000n,
      check_definition: {
        log_source: 'CHECK',
        checks: [{ http_check: { port: 8080, path: '/up', request_timeout_ms: 250n, interval_ms: 5000n } }],
        readiness_checks: [{ tcp_check: { port: 9000, connect_timeout_ms: 300n, interval_ms: 700n } }],
      },
    });
    const check = { kind: 'http', port: 8080, path: '/up', timeout_ms: 250 };
    expect(startup).toEqual([check]);
    expect(liveness).toEqual([{ check, interval_ms: 5000 }]);
    expect(readiness).toEqual([{ check: { kind: 'port', port: 9000, timeout_ms: 300 }, interval_ms: 700 }]);
    expect(rest).toEqual({ log_source: 'CHECK', start_timeout_ms: 60_000, startup_interval_ms: 2000 });
  });

  test('leaves the rest to the cell', () => {
    const { liveness, log_source, start_timeout_ms } = health({
      check_definition: { checks: [{ tcp_check: { port: 1 } }, { http_check: { port: 2 } }] },
    });
    expect(liveness).toEqual([
      { check: { kind: 'port', port: 1, timeout_ms: 1000 }, interval_ms: 30_000 },
      { check: { kind: 'http', port: 2, path: '/', timeout_ms: 1000 }, interval_ms: 30_000 },
    ]);
    expect([log_source, start_timeout_ms]).toEqual(['HEALTH', 0]);
  });

  test('wins over a monitor', () => {
    const { startup } = health({
      monitor: { run_action: { path: '/tmp/lifecycle/healthcheck', args: ['-port=1'] } },
      check_definition: { checks: [{ tcp_check: { port: 2 } }] },
    });
    expect(startup).toEqual([{ kind: 'port', port: 2, timeout_ms: 1000 }]);
  });
});

test('without any check it runs as soon as its process does', () => {
  expect(health({})).toMatchObject({ startup: [], liveness: [], readiness: [] });
});

describe('a monitor', () => {
  const port = (number: number, timeout_ms = 1000): object => ({ kind: 'port', port: number, timeout_ms });
  test.each<[path: string, args: string[], startup: object[]]>([
    ['/tmp/lifecycle/healthcheck', ['-port=7000'], [port(7000)]],
    ['/tmp/lifecycle/healthcheck', ['-port', '7000', '-timeout=1m30s'], [port(7000, 90_000)]],
    [
      '/tmp/lifecycle/healthcheck',
      ['--port=7000', '-uri=/up?x=1'],
      [{ kind: 'http', port: 7000, path: '/up?x=1', timeout_ms: 1000 }],
    ],
    ['/tmp/lifecycle/healthcheck', [], [port(9000)]],
    ['nc', ['-z', '127.0.0.1', '8081'], [port(8081)]],
    ['nc', ['-z', '0.0.0.0', '8080'], [port(8080)]],
    ['curl', ['-sf', 'http://localhost:8082/ping'], [port(8082)]],
    ['bash', ['-c', 'while true; do nc -z $HOST 8080; sleep 2; done'], [port(8080)]],
    ['bash', ['-c', 'test -f /tmp/ready'], [port(9000)]],
    ['/bin/true', [], []],
  ])('%s %j', (path, args, startup) => {
    expect(monitor(path, args).startup).toEqual(startup);
  });

  test('of several equal programs is one check', () => {
    const run = { run_action: { path: '/tmp/lifecycle/healthcheck', args: ['-port=1'], log_source: 'MINE' } };
    const { liveness, log_source } = health({ monitor: { parallel_action: { actions: [run, run] } } });
    expect(liveness).toEqual([{ check: { kind: 'port', port: 1, timeout_ms: 1000 }, interval_ms: 30_000 }]);
    expect(log_source).toBe('MINE');
  });
});
