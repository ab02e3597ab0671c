/** Routes that change while an instance runs, with the embedded BBS over its real wire. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import type { Change } from '../../../backend/cell/containers.js';
import type { Container } from '../../../backend/cell/model.js';
import { syncRoutes } from '../../../backend/routes/sync.js';
import { followInstances } from '../../../backend/wire/bbs-events.js';
import { createBbs, type Bbs, type Identity } from '../../../backend/wire/bbs.js';
import { systemClock } from '../../../core/clock.js';
import { noLog } from '../../../core/log.js';
import { desiredApp } from '../../support/cell/desired.js';
import { aContainer, anLrp, anOrder } from '../../support/cell/samples.js';
import type { Diego } from '../../support/diego/diego.js';
import { startEmbeddedDiego } from '../../support/diego/embedded.js';
import { until } from '../../support/routes/client.js';

let diego: Diego;
let bbs: Bbs;
let tls: Identity;
beforeAll(async () => {
  diego = await startEmbeddedDiego({ durable: true });
  const [ca = '', cert = '', key = ''] = await Promise.all(
    [diego.certs.ca, diego.certs.cert, diego.certs.key].map((file) => readFile(file, 'utf8')),
  );
  tls = { ca, cert, key };
  bbs = createBbs({ url: diego.bbs_url, tls, clock: systemClock, timeout_ms: 5_000 });
}, 60_000);
afterAll(async () => {
  await bbs.close();
  await diego.close();
});

const routes = (...hostnames: string[]) => ({
  routes: { 'cf-router': Buffer.from(JSON.stringify([{ hostnames, port: 8080 }])) },
});

test('a changed route reaches the instance by the event, also after the BBS was away', async () => {
  const desired = desiredApp({ process_guid: 'proc-1', droplet: { url: 'http://x', sha256: 'y' }, instances: 1 });
  await bbs.call('desire_lrp', { desired_lrp: desired });
  const old = [{ hostnames: ['proc-1.apps.test'], port: 8080 }];
  let container: Container = aContainer({
    ...{ reservation: anLrp('inst-1'), state: 'running', routable: true },
    order: anOrder({ http_routes: old }),
  });
  const changes: Change[] = [];
  const containers = {
    list: () => [container],
    update: (_guid: string, change: Change) => {
      changes.push(change);
      container = { ...container, order: anOrder({ ...container.order, ...change }) };
    },
  };
  const ending = new AbortController();
  let streams = 0;
  const syncing = syncRoutes(
    {
      ...{ bbs, containers, clock: systemClock, log: noLog },
      follow: (tell, onOpen, signal) => {
        const opened = (): void => {
          streams++;
          onOpen();
        };
        const options = { url: diego.bbs_url, tls, cell_id: 'cell-a', clock: systemClock, log: noLog };
        return followInstances({ ...options, pause_ms: 100, onOpen: opened }, tell, signal);
      },
    },
    ending.signal,
  );
  try {
    await until('it listens', async () => streams === 1);
    await bbs.call('update_lrp', { process_guid: 'proc-1', update: { routes: routes('a.test', 'b.test') } });
    const hosts = () => container.order?.http_routes?.flatMap(({ hostnames }) => hostnames);
    await until('the event', async () => hosts()?.join() === 'a.test,b.test');
    // One change each, however often it was read.
    expect(changes).toHaveLength(1);
    await diego.stop('bbs');
    await diego.start('bbs');
    // Whether it comes before the stream is open again or after.
    await bbs.call('update_lrp', { process_guid: 'proc-1', update: { routes: routes('c.test') } });
    await until('the next reading', async () => hosts()?.join() === 'c.test');
    expect(streams).toBeGreaterThan(1);
  } finally {
    ending.abort();
    await syncing;
  }
}, 30_000);
