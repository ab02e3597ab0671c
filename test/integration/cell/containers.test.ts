import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { anOrder, aReservation, CellBench, is } from '../../support/cell.js';
import { OWNER } from '../../support/executor.js';

let cell: CellBench;
beforeEach(async () => {
  cell = await CellBench.open();
});
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
});
