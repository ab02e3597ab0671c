/** Diego's acceptance suite (vizzini) against the real BBS, route-emitter and gorouter, and our cell with real machines. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startCell, type Cell } from '../../support/cell/cell.js';
import { startRealDiego, type RealDiego } from '../../support/diego/real.js';
import { startRouter, type Router } from '../../support/diego/router.js';
import { runVizzini } from '../../support/diego/vizzini.js';
import { describePeer } from '../../support/peers.js';

const PEERS = [
  'postgres',
  'locket',
  'bbs',
  'auctioneer',
  'nats-server',
  'gorouter',
  'route-emitter',
  'vizzini.test',
  'grace',
];

/** Features that a unikernel does not have, by what their specs are called. */
const ABSENT: Record<string, RegExp> = {
  'a shell by ssh': /SSH/i,
  'images from a container registry': /docker|OCI|private image/i,
  'privileged containers and FUSE': /privileged|FUSE/i,
  'an Envoy proxy beside the application': /proxy/i,
  Windows: /windows/i,
  volumes: /volume/i,
  'certificates of the instance': /instance identity|credential/i,
  'several programs in one machine': /sidecar/i,
};

describePeer('Diego’s acceptance suite', PEERS, () => {
  let home: string;
  let diego: RealDiego;
  let router: Router;
  let cell: Cell;
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'uk-'));
    diego = await startRealDiego({ converge_ms: 5_000, kick_ms: 10_000 });
    router = await startRouter({ emitter_of: diego });
    cell = await startCell({ diego, home, cell_id: 'cell-a', memory_mb: 8_192, config: { compose_at_start: true } });
  }, 120_000);
  afterAll(async () => {
    await cell.close();
    await router.close();
    await diego.close();
    await rm(home, { recursive: true, force: true });
  }, 60_000);

  test('every spec that needs nothing a unikernel lacks passes', async () => {
    const focus = process.env['UNIK_VIZZINI_FOCUS'];
    const minutes = process.env['UNIK_VIZZINI_MINUTES'];
    const limit = minutes === undefined ? {} : { timeout_ms: Number(minutes) * 60_000 };
    const specs = await runVizzini({ diego, router_url: router.url, ...(focus ? { focus: [focus] } : {}), ...limit });
    const lacking = (name: string): string | undefined =>
      Object.entries(ABSENT).find(([, pattern]) => pattern.test(name))?.[0];
    const ran = specs.filter(({ state }) => state !== 'skipped');
    const failed = ran.filter(({ state }) => state === 'failed');
    const report = { ran: ran.length, passed: ran.length - failed.length, failed };
    if (process.env['UNIK_VIZZINI_REPORT']) {
      await writeFile(process.env['UNIK_VIZZINI_REPORT'], JSON.stringify(report, null, 1));
      await copyFile(cell.log, `${process.env['UNIK_VIZZINI_REPORT']}.cell`);
    }
    for (const { name, why } of failed) console.log(`${lacking(name) ?? 'FAILED'}: ${name}\n  ${why?.slice(0, 300)}`);
    expect(ran.length).toBeGreaterThan(0);
    expect(failed.filter(({ name }) => lacking(name) === undefined).map(({ name }) => name)).toEqual([]);
  }, 1_900_000);
});
