/** Three unikernels of a real cell behind a router that hears of them over the real NATS server. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { guidOf, indexOf } from '../../support/cell/control.js';
import { startMachines, type Machines } from '../../support/cell/machines.js';
import { freePorts } from '../../support/diego/children.js';
import { whyNoGuest } from '../../support/guest.js';
import { describePeer } from '../../support/peers.js';
import { send, until, type Reply } from '../../support/routes/client.js';
import { startGround, type Ground } from '../../support/routes/ground.js';

const missing = whyNoGuest();
if (missing !== undefined) throw new Error(`routes of machines: ${missing}`);

const APP = 'spread';
const HOST = `${APP}.apps.test`;

describePeer('Unikernels behind a router', ['nats-server'], () => {
  let ground: Ground;
  let machines: Machines;
  let status = 0;
  beforeAll(async () => {
    ground = await startGround({ stale_ms: 120_000, sweep_ms: 30_000 });
    [status = 0] = await freePorts(1);
    machines = await startMachines({
      config: async (home) => {
        const password_file = join(home, 'nats-password');
        await writeFile(password_file, `${ground.nats.password}\n`, { mode: 0o600 });
        const nats = { servers: [ground.nats.address], user: ground.nats.user, password_file, tls: 'off' };
        return { routes: { emitter: 'builtin', nats }, status_addr: `127.0.0.1:${status}` };
      },
    });
    await machines.control.desire({ process_guid: APP, droplet: machines.droplet, instances: 3 });
    await machines.control.running(APP, 3, 180_000);
  }, 400_000);
  afterAll(async () => {
    await machines.close();
    await ground.close();
  }, 60_000);

  const ask = (): Promise<Reply> => send(ground.url, HOST, { timeout_ms: 30_000 });
  const bodies = async (count: number): Promise<string[]> =>
    Promise.all(Array.from({ length: count }, async () => (await ask()).body));
  const metric = async (name: string): Promise<number> => {
    const text = await (await fetch(`http://127.0.0.1:${status}/metrics`)).text();
    return Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1]);
  };

  test('two hundred requests are spread over all three', async () => {
    await until('all three answer', async () => new Set(await bodies(9)).size === 3);
    const spread: string[] = [];
    for (let n = 0; n < 10; n++) spread.push(...(await bodies(20)));
    const counts = ['0', '1', '2'].map((index) => spread.filter((one) => one === index).length);
    process.stderr.write(`two hundred requests through ${ground.router}: ${counts.join(', ')}\n`);
    expect(counts.reduce((sum, one) => sum + one)).toBe(200);
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(60);
    expect(await metric('unik_cell_routes')).toBe(3);
  }, 120_000);

  test('one machine killed costs no request that may be repeated; its replacement is found', async () => {
    const [victim] = await machines.control.lrps(APP);
    if (!victim) throw new Error('no instance');
    const line = (await machines.processes()).find(
      (one) => one.includes('qemu-system') && one.includes(guidOf(victim)),
    );
    const pid = Number(line?.trim().split(/\s+/)[0]);
    expect(pid).toBeGreaterThan(1);
    const statuses: number[] = [];
    const over = new AbortController();
    const asking = (async () => {
      while (!over.signal.aborted) statuses.push((await ask()).status);
    })();
    await new Promise((resolve) => setTimeout(resolve, 200));
    process.kill(pid, 'SIGKILL');
    await machines.control.one(
      APP,
      'replaced',
      (lrp) => {
        return indexOf(lrp) === indexOf(victim) && lrp.state === 'RUNNING' && guidOf(lrp) !== guidOf(victim);
      },
      120_000,
    );
    await until('the new one answers', async () => new Set(await bodies(9)).size === 3);
    over.abort();
    await asking;
    process.stderr.write(`${statuses.length} requests while one was killed and replaced\n`);
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(await metric('unik_cell_crashes_total')).toBe(1);
    expect(await metric('unik_cell_boot_seconds_count')).toBe(4);
  }, 240_000);

  test('what is scaled away or deleted is asked no more, within a second', async () => {
    const took = async (change: () => Promise<void>, holds: () => Promise<boolean>): Promise<number> => {
      await change();
      const began = performance.now();
      await until('it is known', holds);
      return performance.now() - began;
    };
    const scaled = await took(
      () => machines.control.scale(APP, 1),
      async () => new Set(await bodies(6)).size === 1,
    );
    const deleted = await took(
      () => machines.control.remove(APP),
      async () => (await ask()).status === 404,
    );
    process.stderr.write(`scaled away after ${scaled.toFixed(0)} ms, deleted after ${deleted.toFixed(0)} ms\n`);
    expect(Math.max(scaled, deleted)).toBeLessThan(1_000);
    await machines.control.gone(APP);
    expect(await metric('unik_cell_routes')).toBe(0);
  }, 120_000);
});
