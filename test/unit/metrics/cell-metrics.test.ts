import { afterEach, describe, expect, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { metricItems, sourceOf } from '../../../backend/logs/envelope.js';
import { createCellMetrics, type CellMetrics } from '../../../backend/metrics/cell-metrics.js';
import { serveStatus } from '../../../backend/metrics/status.js';
import { FakeContainers } from '../../support/cell/fake-containers.js';
import { anLrp, anOrder, aTask } from '../../support/cell/samples.js';
import { root } from '../../support/unik.js';

const open: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

const LOGS = { sent: 5, dropped: 2, unconfirmed: 1, broken: 1, queued: 7, queued_bytes: 70 };
const ROUTES = { routes: 3, registers: 30, unregisters: 4, interval_ms: 1, connected: true, connects: 2 };

function make(containers = new FakeContainers()) {
  let now = 0;
  const clock = { now: () => now, sleep: () => Promise.reject(new Error('nobody sleeps here')) };
  const options = { logs: () => LOGS, routes: () => ROUTES, pending: () => 6, isEvacuating: () => false };
  const metrics = createCellMetrics({ containers, clock, ...options });
  open.push(() => metrics.close());
  return { metrics, containers, turn: (ms: number) => (now += ms) };
}

async function values(metrics: CellMetrics): Promise<Map<string, number>> {
  const { text } = await metrics.text();
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]));
}

test('the operator’s guide names every metric, its type and its meaning, and no other', async () => {
  const guide = await readFile(join(root, 'docs/operating.md'), 'utf8');
  const rows = [...guide.matchAll(/^\| `(unik_cell_\w+)` \| (\w+) \| (.+?)(?: \(label .*\))? \|$/gm)];
  const documented = rows.map(([, name, type, help]) => ({ name, type, help }));
  const known = (await make().metrics.describe()).map(({ name, type, help }) => ({ name, type: String(type), help }));
  const byName = (a: { name?: string | undefined }, b: { name?: string | undefined }) =>
    (a.name ?? '') < (b.name ?? '') ? -1 : 1;
  expect(documented.sort(byName)).toEqual(known.sort(byName));
});

test('the operator’s guide names every metric of a container, with its unit', async () => {
  const guide = await readFile(join(root, 'docs/operating.md'), 'utf8');
  const table = /\| envelope \| metrics \|\n([\s\S]*?)\n\n/.exec(guide)?.[1] ?? '';
  const documented = table.split('\n').flatMap((row) => {
    const [, , cell = ''] = row.split('|');
    // Names up to a unit share it.
    return [...cell.matchAll(/((?:`\w+`(?:, )?)+)(?: \(([\w/]+)\))?/g)].flatMap(([, names = '', unit = '']) =>
      [...names.matchAll(/`(\w+)`/g)].map(([, name = '']) => `${name} ${unit}`.trim()),
    );
  });
  const usage = { guid: 'i', at: 0, cpu_ns: 1n, memory_bytes: 1, disk_bytes: 1, age_ns: 1n };
  const whole = { ...usage, memory_quota_bytes: 1, disk_quota_bytes: 1, rx_bytes: 1, tx_bytes: 1 };
  const source = sourceOf({ guid: 'app', index: 0, tags: {} });
  if (!source) throw new Error('no source');
  const sent = metricItems(source, whole, 1, { rate: 1, limit: -1 }).flatMap(({ gauge, counter }) => [
    ...Object.entries(gauge?.metrics ?? {}).map(([name, metric]) => `${name} ${metric?.unit ?? 'no unit'}`),
    ...(counter ? [String(counter.name)] : []),
  ]);
  expect(documented.sort()).toEqual(sent.sort());
});

test('starts, crashes and boots are counted; what was there before is not', async () => {
  const containers = new FakeContainers();
  containers.reserve(anLrp('before', 9));
  containers.run('before', anOrder());
  containers.boot('before');
  containers.healthy('before');
  const { metrics, turn } = make(containers);
  const begin = (guid: string, index: number): void => {
    containers.reserve(anLrp(guid, index));
    containers.run(guid, anOrder());
    containers.boot(guid);
    turn(3_000);
    containers.healthy(guid);
  };
  begin('a', 0);
  begin('b', 1);
  containers.setRoutable('a', false);
  containers.exit('a', { failed: true, reason: 'oom', retryable: false });
  containers.stop('b');
  containers.reserve(aTask('t'));
  containers.run('t', anOrder());
  containers.exit('t', { failed: true, reason: 'no', retryable: false });
  const got = await values(metrics);
  expect(Object.fromEntries(got)).toMatchObject({
    unik_cell_starts_total: 2,
    unik_cell_crashes_total: 1,
    unik_cell_failed_tasks_total: 1,
    unik_cell_boot_seconds_count: 2,
    unik_cell_boot_seconds_sum: 6,
    'unik_cell_boot_seconds_bucket{le="2"}': 0,
    'unik_cell_boot_seconds_bucket{le="4"}': 2,
    'unik_cell_containers{state="running"}': 1,
    'unik_cell_containers{state="completed"}': 3,
    'unik_cell_memory_bytes{what="total"}': 4_096 * 2 ** 20,
    'unik_cell_memory_bytes{what="available"}': (4_096 - 4 * 128) * 2 ** 20,
    unik_cell_pending_containers: 6,
    unik_cell_evacuating: 0,
  });
});

test('what others count is told as it stands, however often it is asked for', async () => {
  const { metrics } = make();
  const [first, second] = [await values(metrics), await values(metrics)];
  expect(Object.fromEntries(first)).toMatchObject({
    ...{ unik_cell_log_envelopes_sent_total: 5, unik_cell_log_envelopes_dropped_total: 2 },
    ...{
      unik_cell_log_queue_envelopes: 7,
      unik_cell_log_queue_bytes: 70,
      unik_cell_log_envelopes_unconfirmed_total: 1,
    },
    ...{ unik_cell_routes: 3, unik_cell_route_registers_total: 30, unik_cell_nats_connected: 1 },
  });
  first.delete('unik_cell_resident_bytes');
  second.delete('unik_cell_resident_bytes');
  expect(second).toEqual(first);
});

describe('the status port', () => {
  test.each<[method: string, path: string, status: number, text: RegExp]>([
    ['GET', '/metrics', 200, /^# HELP unik_cell_evacuating /],
    ['GET', '/metrics?x=1', 200, /unik_cell_boot_seconds_bucket\{le="\+Inf"\} 0/],
    ['GET', '/health', 200, /^ok\n$/],
    ['GET', '/', 404, /metrics/],
    ['POST', '/metrics', 405, /GET/],
  ])('%s %s', async (method, path, status, text) => {
    const port = await serveStatus({ host: '127.0.0.1', port: 0 }, make().metrics);
    open.push(() => port.close());
    const reply = await fetch(`http://127.0.0.1:${port.port}${path}`, { method });
    expect(reply.status).toBe(status);
    expect(await reply.text()).toMatch(text);
  });

  test('an address that cannot be had is refused with its key', async () => {
    const { metrics } = make();
    const port = await serveStatus({ host: '127.0.0.1', port: 0 }, metrics);
    open.push(() => port.close());
    await expect(serveStatus({ host: '127.0.0.1', port: port.port }, metrics)).rejects.toMatchObject({
      ...{ code: 'config_invalid', message: expect.stringMatching(/^status_addr: /) as unknown },
    });
  });
});
