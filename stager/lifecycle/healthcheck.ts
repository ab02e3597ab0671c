import { request } from 'node:http';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../core/errors.js';
import { parseFlags } from './flags.js';

const TEXTS = {
  network: 'tcp',
  uri: '',
  port: '8080',
  timeout: '1s',
  'startup-interval': '0s',
  'startup-timeout': '60s',
  'liveness-interval': '0s',
  'readiness-interval': '0s',
  'until-ready-interval': '0s',
};

/** A check that failed: the line that is shown, and the exit status of Diego's healthcheck. */
class CheckFailed extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

/** `healthcheck FLAGS`, run beside an application in a container; a machine is checked from outside. */
async function main(): Promise<void> {
  const { texts } = parseFlags(process.argv.slice(2), { booleans: [], texts: TEXTS });
  const timeout = millis(texts.timeout);
  const address = firstAddress();
  const check = (): Promise<void> =>
    texts.uri === ''
      ? checkPort(address, Number(texts.port), timeout)
      : checkUri(address, Number(texts.port), texts.uri, timeout);

  const [startup, liveness, readiness, untilReady] = [
    millis(texts['startup-interval']),
    millis(texts['liveness-interval']),
    millis(texts['readiness-interval']),
    millis(texts['until-ready-interval']),
  ];
  if (startup > 0) await untilPassed(check, startup, millis(texts['startup-timeout']));
  else if (untilReady > 0) await untilPassed(check, untilReady, 0);
  else if (liveness + readiness > 0) await whilePassing(check, liveness || readiness);
  else await check();
  process.stdout.write('healthcheck passed\n');
}

async function untilPassed(check: () => Promise<void>, interval: number, limit: number): Promise<void> {
  const start = performance.now();
  for (;;) {
    try {
      await check();
      return;
    } catch (err) {
      if (limit > 0 && performance.now() - start + interval > limit) throw err;
      await sleep(interval);
    }
  }
}

async function whilePassing(check: () => Promise<void>, interval: number): Promise<never> {
  for (;;) {
    await check();
    await sleep(interval);
  }
}

async function checkPort(host: string, port: number, timeout: number): Promise<void> {
  const what = `failed to make TCP connection to ${host}:${port}`;
  await new Promise<void>((resolve, reject) => {
    const socket = connect({ host, port, timeout });
    const end = (failure?: CheckFailed): void => {
      socket.destroy();
      if (failure) reject(failure);
      else resolve();
    };
    socket.once('connect', () => end());
    socket.once('timeout', () =>
      end(new CheckFailed(`${what}: timed out after ${(timeout / 1000).toFixed(2)} seconds`, 64)),
    );
    socket.once('error', (err) => end(new CheckFailed(`${what}: ${err.message}`, 4)));
  });
}

async function checkUri(host: string, port: number, path: string, timeout: number): Promise<void> {
  const what = `failed to make HTTP request to '${path}' on port ${port}`;
  const start = performance.now();
  await new Promise<void>((resolve, reject) => {
    const headers = { 'User-Agent': 'diego-healthcheck', 'X-Forwarded-Proto': 'https' };
    const asked = request(
      { host, port, path, headers, agent: false, signal: AbortSignal.timeout(timeout) },
      (reply) => {
        reply.resume();
        const ms = Math.round(performance.now() - start);
        if (reply.statusCode === 200) resolve();
        else reject(new CheckFailed(`${what}: received status code ${reply.statusCode ?? 0} in ${ms}ms`, 6));
      },
    );
    asked.once('error', (err) => {
      const late = performance.now() - start >= timeout;
      const why = late ? `timed out after ${(timeout / 1000).toFixed(2)} seconds` : err.message;
      reject(new CheckFailed(`${what}: ${why}`, late ? 65 : 5));
    });
    asked.end();
  });
}

/** As Diego's: the first address that is not the loopback's. */
function firstAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.1';
}

/** `1s`, `500ms`, `2m`, as Go writes durations. */
function millis(text: string): number {
  const [, value, unit = 's'] = /^([\d.]+)(ms|s|m|h)?$/.exec(text) ?? [];
  if (value === undefined) throw new CheckFailed(`${JSON.stringify(text)} is no duration such as 1s or 500ms`, 2);
  return Number(value) * { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[unit as 'ms' | 's' | 'm' | 'h'];
}

try {
  await main();
} catch (err) {
  process.stdout.write(`${messageOf(err)}\n`);
  process.exitCode = err instanceof CheckFailed ? err.status : 1;
}
