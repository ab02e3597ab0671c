import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { downloadFailure } from '../../../backend/convert/outcome.js';
import { StartFailure } from '../../../backend/cell/images/start-failure.js';
import type { ImageMaker } from '../../../backend/cell/images/droplets.js';
import type { ContainersDeps } from '../../../backend/cell/store/cell-containers.js';
import { anImage, OWNER } from '../../support/executor.js';
import { anOrder, aReservation, CellBench, is } from '../../support/cell.js';

let cell: CellBench;
beforeEach(async () => {
  cell = await CellBench.open();
});
const reopen = async (over: Partial<ContainersDeps>): Promise<void> => {
  await cell.close();
  cell = await CellBench.open(over);
};
/** Images that come when the test says so. */
function slowImages(): { images: ImageMaker; asked: Promise<void>; give: () => void } {
  let [give, told]: (() => void)[] = [];
  const given = new Promise<void>((resolve) => (give = resolve));
  const asked = new Promise<void>((resolve) => (told = resolve));
  const images: ImageMaker = {
    async imageFor(_order, _listener, signal) {
      told?.();
      await Promise.race([
        given,
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
      ]);
      return anImage();
    },
  };
  return { images, asked, give: () => give?.() };
}
afterEach(() => cell.close());

const machines = async (): Promise<string[]> => (await cell.bench.provider.list(OWNER)).map(({ key }) => key);

describe('a container', () => {
  test('is reserved, runs, serves, stops and is gone, and says so in order', async () => {
    const { containers, heard } = cell;
    containers.reserve(aReservation('one'));
    expect(containers.get('one')).toMatchObject({ state: 'reserved', stopped: false, routable: false });
    containers.run('one', anOrder({}, { FAKE_STDOUT: 'hello\n', FAKE_STDERR: 'oops\n' }));
    expect(containers.get('one')?.state).toBe('initializing');
    await cell.until('one', is('running'));
    const net = containers.netInfo('one');
    expect(net).toMatchObject({ address: '10.0.0.1', instance_address: '10.0.0.1' });
    const port = net?.ports[0]?.host_port ?? 0;
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('hello from app/0\n');
    const env = (await (await fetch(`http://127.0.0.1:${port}/env`)).json()) as Record<string, string>;
    expect(env).toMatchObject({
      CF_INSTANCE_IP: '10.0.0.1',
      CF_INSTANCE_PORTS: JSON.stringify([{ container_port: 8080, host_port: port }]),
    });
    containers.stop('one');
    expect(containers.get('one')?.stopped).toBe(true);
    const ended = await cell.until('one', is('completed'));
    expect(ended).toMatchObject({ stopped: true, outcome: { failed: false, reason: 'stopped 0' } });
    await Promise.all([containers.delete('one'), containers.delete('one')]);
    expect(containers.list()).toEqual([]);
    expect(await machines()).toEqual([]);
    for (const folder of ['cell/containers', 'instances', 'logs']) {
      expect(await readdir(join(cell.home, folder))).toEqual([]);
    }
    await containers.delete('one');
    const said = heard.lines.filter((line) => !line.startsWith('CELL out fake:'));
    const [apart, order] = [said.filter((line) => /hello|oops/.test(line)), said.filter((l) => !/hello|oops/.test(l))];
    expect(apart.sort()).toEqual(['APP/PROC/WEB err oops', 'APP/PROC/WEB out hello']);
    expect(order).toEqual([
      'CELL out creating',
      'CELL out created',
      'CELL out monitoring',
      'CELL out healthy',
      'CELL out stopping',
      'APP/PROC/WEB out goodbye',
      'APP/PROC/WEB out exit status 0',
      'CELL out destroying',
      'CELL out destroyed',
    ]);
  });

  test('outlives our process; nothing is said twice and nothing is lost', async () => {
    cell.start('one', anOrder({}, { FAKE_LINES: '-1', FAKE_LINES_PER_S: '200' }));
    await cell.until('one', is('running'));
    const before = cell.containers.netInfo('one');
    await cell.restart();
    expect(cell.containers.get('one')).toMatchObject({ state: 'running', routable: true });
    expect(cell.containers.netInfo('one')).toEqual(before);
    await cell.restart();
    await cell.containers.delete('one');
    const numbers = cell.heard.lines.flatMap((line) => /out line (\d+)$/.exec(line)?.[1] ?? []).map(Number);
    expect(numbers.length).toBeGreaterThan(0);
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
    expect(cell.heard.lines.filter((line) => line === 'CELL out healthy')).toHaveLength(1);
  });

  test.each([
    ['its application ends', { FAKE_EXIT_AFTER_MS: '1', FAKE_EXIT_CODE: '3' }, 'exited 3', false],
    ['it cannot be booted', { FAKE_FAIL_START: 'no such luck' }, 'boot_failed ?', true],
  ])('fails when %s', async (_why, env, reason, retryable) => {
    cell.start('one', anOrder({}, env));
    const ended = await cell.until('one', is('completed'));
    expect(ended).toMatchObject({ stopped: false, outcome: { failed: true, reason, retryable } });
    // A late stop does not make a removal of a crash.
    cell.containers.stop('one');
    expect(cell.containers.get('one')?.stopped).toBe(false);
    await cell.restart();
    expect(cell.containers.get('one')).toEqual(ended);
    await cell.containers.delete('one');
    const exits = cell.heard.lines.filter((line) => /exit status|failed to create/.test(line));
    expect(exits).toEqual([retryable ? 'CELL err failed to create: no such luck' : 'APP/PROC/WEB out exit status 3']);
  });

  test('fails in the words of what kept its image away', async () => {
    const failure = new StartFailure(downloadFailure({ artifact: 'droplet' }), new Error('404'));
    await reopen({ images: { imageFor: () => Promise.reject(failure) } });
    cell.start('one');
    const ended = await cell.until('one', is('completed'));
    expect(ended?.outcome).toEqual({ failed: true, reason: 'Downloading droplet failed', retryable: false });
    await cell.restart();
    expect(cell.containers.get('one')).toEqual(ended);
    expect(cell.heard.lines).toEqual(['CELL out creating', 'CELL err Downloading droplet failed', 'CELL err 404']);
  });

  test('never healthy, and unhealthy later', async () => {
    // Where machines have addresses of their own only the ordered ports are published: nobody answers on port 9.
    await reopen({ network: async () => ({ mode: 'tap', dns: [], deny: [] }) });
    const check = { kind: 'port' as const, port: 8080, timeout_ms: 50 };
    const { health } = anOrder();
    cell.start('deaf', anOrder({ health: { ...health, start_timeout_ms: 60 } }, { FAKE_DEAF: '1' }));
    expect(await cell.until('deaf', is('completed'))).toMatchObject({ outcome: { reason: 'start_timeout 0' } });
    const liveness = [{ check: { kind: 'http' as const, port: 9, path: '/', timeout_ms: 50 }, interval_ms: 200 }];
    const readiness = [{ check, interval_ms: 10 }];
    cell.start('sick', anOrder({ health: { ...health, liveness, readiness } }));
    expect(await cell.until('sick', is('running'))).toMatchObject({ routable: false });
    expect(await cell.until('sick', is('completed'))).toMatchObject({ outcome: { reason: 'unhealthy 0' } });
    await Promise.all(['deaf', 'sick'].map((guid) => cell.containers.delete(guid)));
    const said = cell.heard.lines.filter((line) => /health|not ready/i.test(line));
    expect(said.sort()).toEqual(
      [
        'HEALTH err nothing took a connection on port 8080 within 200 ms',
        'CELL err never healthy after 60',
        'CELL out healthy',
        'HEALTH out readiness monitoring',
        'HEALTH out ready',
        'HEALTH err port 9 cannot be reached from this host',
        'CELL err unhealthy',
      ].sort(),
    );
  });

  test('stopped while its image is fetched never gets a machine', async () => {
    const { images, asked } = slowImages();
    await reopen({ images });
    cell.start('one');
    await asked;
    cell.containers.stop('one');
    const ended = await cell.until('one', is('completed'));
    expect(ended).toMatchObject({ stopped: true, outcome: { failed: true, reason: 'stopped-before-running' } });
    await cell.containers.delete('one');
    expect(await machines()).toEqual([]);
  });

  test('whose image was being fetched when our process ended is started by the next', async () => {
    const { images, asked, give } = slowImages();
    await reopen({ images });
    cell.start('one');
    await asked;
    await cell.restart();
    expect(cell.containers.get('one')?.state).toBe('initializing');
    give();
    await cell.until('one', is('running'));
    expect(cell.heard.lines.filter((line) => line === 'CELL out created')).toHaveLength(1);
  });

  test('that nobody takes into use is given up; one that was lost with our process is so later', async () => {
    await reopen({ reserved_ms: 50 });
    cell.containers.reserve(aReservation('one'));
    await cell.restart();
    const ended = await cell.until('one', is('completed'));
    expect(ended?.outcome).toEqual({ failed: true, reason: 'expired container', retryable: false });
    expect(() => cell.containers.run('one', anOrder())).toThrow(expect.objectContaining({ code: 'conflict' }));
  });

  test('ended when its time is over', async () => {
    cell.start('one', anOrder({ timeout_ms: 30 }));
    expect(await cell.until('one', is('completed'))).toMatchObject({
      stopped: false,
      outcome: { failed: true, reason: 'timed out' },
    });
  });

  test('gives the content of its result file', async () => {
    const env = { FAKE_EXIT_AFTER_MS: '1', FAKE_RESULT: 'forty-two' };
    const { lrp: _, ...reservation } = { ...aReservation('task'), kind: 'task' as const, domain: 'tests', lrp: 0 };
    cell.start('task', anOrder({ result_file: '/tmp/result' }, env), reservation);
    expect(await cell.until('task', is('completed'))).toMatchObject({ outcome: { result: 'forty-two' } });
  });
});

test('a machine whose container was deleted but for that is removed', async () => {
  cell.start('one');
  await cell.until('one', is('running'));
  await rm(join(cell.home, 'cell/containers/one.json'));
  await cell.restart();
  expect(cell.containers.list()).toEqual([]);
  const { executor } = cell.bench;
  while (executor.list().length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(await machines()).toEqual([]);
});

test('what is promised is not promised twice', async () => {
  const { containers } = cell;
  const total = 4096;
  const per = 72;
  expect(containers.room()).toEqual({
    total: { memory_mb: total, disk_mb: total, containers: 50 },
    available: { memory_mb: total - per, disk_mb: total, containers: 50 },
  });
  containers.reserve(aReservation('one', { memory_mb: 1000, disk_mb: 100 }));
  const available = { memory_mb: total - 1000 - 2 * per, disk_mb: total - 100, containers: 49 };
  expect(containers.room().available).toEqual(available);
  containers.run('one', anOrder());
  await cell.until('one', is('running'));
  // The machine costs what the kernel takes of a larger machine as well.
  expect(containers.room().available.memory_mb).toBe(available.memory_mb - 2 * Math.ceil(1000 / 32));
  expect(containers.room().available).toMatchObject({ disk_mb: available.disk_mb, containers: 49 });
  const refused = (over: object, code: string): void =>
    expect(() => containers.reserve(aReservation('two', over))).toThrow(expect.objectContaining({ code }));
  refused({ memory_mb: 3000 }, 'insufficient_memory');
  refused({ disk_mb: 4000 }, 'insufficient_disk');
  expect(() => containers.reserve(aReservation('one'))).toThrow(expect.objectContaining({ code: 'name_in_use' }));
  await containers.delete('one');
  expect(containers.room().available).toMatchObject({ disk_mb: total, containers: 50 });
});

test('usage, and what is unknown', async () => {
  const { containers } = cell;
  cell.start('one');
  await cell.until('one', is('running'));
  expect(await containers.usage('one')).toMatchObject({
    ...{ guid: 'one', memory_bytes: 16 * 2 ** 20, memory_quota_bytes: 64 * 2 ** 20, disk_quota_bytes: 10 * 2 ** 20 },
    ...{ cpu_ns: expect.any(BigInt), age_ns: expect.any(BigInt) },
  });
  expect(await containers.usage('none')).toBeUndefined();
  for (const call of [() => containers.stop('none'), () => containers.run('none', anOrder())]) {
    expect(call).toThrow(expect.objectContaining({ code: 'not_found' }));
  }
});
