import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../../../../core/clock.js';
import { checkHttp } from '../../../../executor/checks/http.js';
import { awaitStartup, watchChanges } from '../../../../executor/checks/watch.js';
import { never } from '../../../support/executor.js';

describe('http', () => {
  let server: Server;
  let endpoint: { host: string; port: number };
  beforeEach(async () => {
    server = createServer((request, response) => {
      if (request.url === '/hang') return;
      if (request.url === '/drip') return void response.writeHead(200).write('x');
      if (request.url === '/loop') return void response.writeHead(302, { location: '/loop' }).end();
      if (request.url === '/away') return void response.writeHead(302, { location: 'http://127.0.0.2/200' }).end();
      const status = Number(request.url?.slice(1));
      response.writeHead(status, { location: '/200' }).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    endpoint = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });
  const check = async (path: string, signal = never(), timeout_ms = 10_000): Promise<string | undefined> =>
    (await checkHttp({ kind: 'http', port: 80, path, timeout_ms }, endpoint, signal))?.message;

  test.each([
    ['/200', undefined],
    ['/drip', undefined],
    ['/204', 'port 80, path /204: status 204, not 200'],
    ['/302', undefined],
    ['/away', 'port 80, path /away: status 302, not 200'],
    ['/loop', 'port 80, path /loop: status 302, not 200'],
    ['/500', 'port 80, path /500: status 500, not 200'],
  ])('%s gives %s', async (path, expected) => {
    expect(await check(path)).toBe(expected);
  });

  test('no answer ends with its time', async () => {
    expect(await check('/hang', never(), 100)).toBe('port 80, path /hang: no answer within 100 ms');
  });

  test('nobody there, and no way there', async () => {
    server.close();
    expect(await check('/200')).toContain('ECONNREFUSED');
    const spec = { kind: 'http' as const, port: 80, path: '/', timeout_ms: 100 };
    expect(await checkHttp(spec, undefined, never())).toEqual({
      why: 'failed',
      message: 'port 80 cannot be reached from this host',
    });
  });

  test('a signal ends it', async () => {
    const enough = new AbortController();
    const checking = check('/hang', enough.signal);
    enough.abort(new Error('enough'));
    await expect(checking).rejects.toThrow();
  });
});

/** Time that passes only by sleeping. */
function quickClock(): Clock {
  let now = 0;
  return {
    now: () => now,
    sleep: async (ms, signal) => {
      signal?.throwIfAborted();
      now += ms;
    },
  };
}
/** Fails or passes in turn; the last verdict stays. */
const verdicts = (...all: (string | undefined)[]): (() => Promise<string | undefined>) => {
  let turn = 0;
  return async () => all[Math.min(turn++, all.length - 1)];
};

describe('startup', () => {
  const options = { clock: quickClock(), interval_ms: 10 };
  test('waits until it passes', async () => {
    const clock = quickClock();
    const done = awaitStartup(verdicts('no', 'no', undefined), { ...options, clock, deadline: undefined }, never());
    expect(await done).toBeUndefined();
    expect(clock.now()).toBe(20);
  });
  test('gives up at the deadline with the last reason, having looked once more', async () => {
    const clock = quickClock();
    expect(await awaitStartup(verdicts('no', 'still no'), { ...options, clock, deadline: 15 }, never())).toEqual({
      failure: 'still no',
      attempts: 3,
    });
    expect(clock.now()).toBe(15);
  });
});

test('liveness counts failures in a row, readiness turns back', async () => {
  const check = verdicts('a', undefined, 'b', 'c', 'd', undefined);
  const changes: (string | undefined)[] = [];
  const options = { clock: quickClock(), interval_ms: 1, failures: 2, passing: true };
  for await (const change of watchChanges(check, options, never())) {
    changes.push(change);
    if (changes.length === 2) break;
  }
  expect(changes).toEqual(['c', undefined]);
});
