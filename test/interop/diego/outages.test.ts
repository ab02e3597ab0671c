/** The cell, the BBS or Locket go away and come back: applications go on, and all agree afterwards. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startCell, type Cell } from '../../support/cell/cell.js';
import { guidOf, urlOf, type Control } from '../../support/cell/control.js';
import type { Droplet } from '../../support/cell/desired.js';
import { layGround, type Ground } from '../../support/cell/ground.js';
import type { Component } from '../../support/diego/diego.js';
import type { RealDiego } from '../../support/diego/real.js';
import { describePeer } from '../../support/peers.js';
import { fetchUntil200, processesOf, until, type Unik } from '../../support/unik.js';

/** A foundation's outage is a minute: test/interop/long/outages.test.ts has that length. */
const OUTAGE_MS = Number(process.env['UNIK_OUTAGE_MS'] ?? 8_000);

describePeer('a cell through outages', ['postgres', 'locket', 'bbs', 'auctioneer'], () => {
  let ground: Ground;
  let diego: RealDiego;
  let unik: Unik;
  let droplet: Droplet;
  let cell: Cell;
  let control: Control;

  beforeAll(async () => {
    ground = await layGround();
    ({ diego, unik, droplet, cell, control } = ground);
  }, 240_000);
  afterAll(() => ground.close(), 60_000);
  afterEach(async () => {
    for (const { process_guid } of (await control.bbs.call('desired_lrps', {})).desired_lrps) {
      await control.remove(process_guid);
      await control.gone(process_guid, 90_000);
    }
  }, 120_000);

  const machinesOf = async (home: string): Promise<string[]> =>
    (await processesOf(home)).filter((line) => /qemu-system/.test(line)).map((line) => line.split(' ')[0] ?? '');

  test('kill -9 of the cell: machines live on, the next process has them again, none restarts, none is double', async () => {
    await control.desire({ process_guid: 'three', droplet, instances: 3 });
    const before = await control.running('three', 3, 120_000);
    const pids = await machinesOf(unik.home);
    expect(pids).toHaveLength(3);
    await cell.kill('SIGKILL');
    await delay(OUTAGE_MS);
    for (const lrp of before) await fetchUntil200(urlOf(lrp), 5_000);
    await cell.start();
    const after = await control.running('three', 3, 90_000);
    expect(after.map(guidOf).sort()).toEqual(before.map(guidOf).sort());
    expect(after.map(({ crash_count }) => crash_count)).toEqual([0, 0, 0]);
    expect((await machinesOf(unik.home)).sort()).toEqual(pids.sort());
    // It looks after them again.
    const [one] = after;
    if (!one) throw new Error('none');
    await fetchUntil200(`${urlOf(one)}/exit/1`);
    await control.one('three', 'the crash of one', ({ crash_count }) => crash_count === 1);
    await control.running('three', 3);
  }, 300_000);

  const outages: { gone: Component[] }[] = [{ gone: ['bbs'] }, { gone: ['locket'] }, { gone: ['bbs', 'locket'] }];
  test.each(outages)(
    '$gone away for a while: apps serve, and afterwards all agree',
    async ({ gone }) => {
      await control.desire({ process_guid: 'lasting', droplet, instances: 2 });
      const before = await control.running('lasting', 2, 120_000);
      const [first, second] = before;
      if (!first || !second) throw new Error('none');
      for (const name of gone) await diego.stop(name);
      const until_ms = Date.now() + OUTAGE_MS;
      // One ends meanwhile: its crash must reach the BBS when that is back.
      await fetchUntil200(`${urlOf(first)}/exit/3`);
      while (Date.now() < until_ms) {
        await fetchUntil200(urlOf(second), 5_000);
        await delay(500);
      }
      for (const name of [...gone].reverse()) await diego.start(name);
      const crashed = await control.one('lasting', 'the crash', ({ crash_count }) => crash_count === 1, 120_000);
      expect(crashed.crash_reason).toBe('APP/PROC/WEB: Exited with status 3');
      const after = await control.running('lasting', 2, 120_000);
      expect(after.map(guidOf)).toContain(guidOf(second));
      expect(await machinesOf(unik.home)).toHaveLength(2);
    },
    600_000,
  );

  test('evacuation: the old instance serves until the new one runs on the other cell', async () => {
    const home = await mkdtemp(join(tmpdir(), 'uk-'));
    let other: Cell | undefined;
    try {
      await control.desire({ process_guid: 'mover', droplet });
      const [old] = await control.running('mover', 1, 60_000);
      if (!old) throw new Error('none');
      other = await startCell({ diego, home, cell_id: 'cell-b' });
      const reply = await cell.ask('POST', `${cell.admin_url}/evacuate`);
      expect(reply).toEqual({ status: 202, text: '{"ping_path":"/ping"}' });
      const fresh = await control.one(
        'mover',
        'RUNNING on cell-b',
        (lrp) => {
          const there = lrp.actual_lrp_instance_key?.cell_id === 'cell-b' && lrp.state === 'RUNNING';
          return there && lrp.presence === 'ORDINARY';
        },
        120_000,
      );
      await fetchUntil200(urlOf(fresh));
      await until('cell-a to be empty', async () => ((await machinesOf(unik.home)).length === 0 ? true : undefined));
      expect(await control.lrps('mover')).toHaveLength(1);
      await control.remove('mover');
      await control.gone('mover');
    } finally {
      await other?.close();
      await rm(home, { recursive: true, force: true });
      await cell.close();
      ground.cell = cell = await startCell({ diego, home: unik.home, cell_id: 'cell-a' });
    }
  }, 300_000);
});
