/** Diego's acceptance suite (vizzini) against the real BBS, route-emitter and gorouter, and our cell with real machines. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startCell, type Cell } from '../../support/cell/cell.js';
import { startRouterFront, type RouterFront } from '../../support/diego/router-front.js';
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
  'a shell by ssh': /SSH/,
  'images from a container registry': /DOCKER/,
  'privileged containers and FUSE': /[Pp]rivileged|FUSE|Fuse/,
  'an Envoy proxy beside the application: TLS ports, and a port more for it': /TLS|matches the network info/,
  'a file on the internet': /Cancelling Downloads/,
};

/** What the suite takes for a site of the internet: it has to be found, and to answer on port 80. */
const SITE = 'www.example.com';

describePeer('Diego’s acceptance suite', PEERS, () => {
  let home: string;
  let diego: RealDiego;
  let router: Router;
  let front: RouterFront;
  let cell: Cell;
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'uk-'));
    diego = await startRealDiego({ converge_ms: 5_000, kick_ms: 10_000 });
    router = await startRouter({ emitter_of: diego });
    front = await startRouterFront(router.url, home);
    const config = { compose_at_start: true, network: { dns: [front.name_server] } };
    cell = await startCell({ diego, home, cell_id: 'cell-a', memory_mb: 8_192, config });
  }, 120_000);
  afterAll(async () => {
    await cell.close();
    await front.close();
    await router.close();
    await diego.close();
    await rm(home, { recursive: true, force: true });
  }, 60_000);

  test('every spec that needs nothing a unikernel lacks passes', async () => {
    const { UNIK_VIZZINI_FOCUS: focus, UNIK_VIZZINI_MINUTES: minutes, UNIK_VIZZINI_REPORT: file } = process.env;
    const specs = await runVizzini({
      ...{ diego, router_url: router.url, hosts: { [SITE]: front.name_server } },
      skip: Object.values(ABSENT).map(({ source }) => source),
      ...(focus ? { focus: [focus] } : {}),
      ...(minutes ? { timeout_ms: Number(minutes) * 60_000 } : {}),
    });
    for (const [feature, pattern] of Object.entries(ABSENT)) {
      const without = specs.filter(({ name }) => pattern.test(name));
      console.log(`not run, for want of ${feature}:\n${without.map(({ name }) => `  ${name}\n`).join('')}`);
    }
    const ran = specs.filter(({ state }) => state !== 'skipped');
    const failed = ran.filter(({ state }) => state === 'failed');
    if (file) {
      await writeFile(
        file,
        JSON.stringify({ ran: ran.length, passed: ran.length - failed.length, specs: ran }, null, 1),
      );
      await copyFile(cell.log, `${file}.cell`);
    }
    for (const { name, why } of failed) console.log(`failed: ${name}\n  ${why?.slice(0, 300)}`);
    expect(ran.length).toBeGreaterThan(0);
    expect(failed.map(({ name }) => name)).toEqual([]);
  }, 2_700_000);
});
