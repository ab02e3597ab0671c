/**
 * The talk, unchanged, with our Cloud Controller over the real BBS, Locket and auctioneer, our cell, and the real gorouter,
 * log-cache and agents.
 */
import { afterAll, beforeAll, test } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expectTalk } from '../../support/cf/demo.js';
import { freePorts } from '../../support/diego/children.js';
import { startRealDiego, type RealDiego } from '../../support/diego/real.js';
import { ALL_PEERS, startRealLogs, type RealLogs } from '../../support/logs/real.js';
import { describePeer, peer } from '../../support/peers.js';
import { startGround, type Ground } from '../../support/routes/ground.js';

const PEERS = ['cf', 'bbs', 'locket', 'auctioneer', 'gorouter', ...ALL_PEERS];

describePeer('cf, our CC and our cell on the real Diego, gorouter and log-cache', PEERS, () => {
  let dir: string;
  const undo: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'uk-real-'));
    undo.push(() => rm(dir, { recursive: true, force: true }));
    const diego = await startRealDiego();
    undo.push(() => diego.close());
    const ground = await startGround({ stale_ms: 20_000, sweep_ms: 1_000 });
    undo.push(() => ground.close());
    const logs = await startRealLogs(ALL_PEERS);
    undo.push(() => logs.close());
    await writeFile(join(dir, 'up.json'), JSON.stringify(await configOf(dir, { diego, ground, logs })));
  }, 120_000);

  afterAll(async () => {
    for (const step of undo.reverse()) await step();
  }, 60_000);

  test('the talk', async () => {
    await expectTalk(peer('cf'), ['--config', join(dir, 'up.json')]);
  }, 900_000);
});

interface Parts {
  diego: RealDiego;
  ground: Ground;
  logs: RealLogs;
}

/** What `unik up` is told. Secrets lie in files of `dir`, for their owner alone. */
async function configOf(dir: string, { diego, ground, logs }: Parts): Promise<object> {
  const secret = async (name: string, text: string): Promise<string> => {
    const file = join(dir, name);
    await writeFile(file, text, { mode: 0o600 });
    return file;
  };
  const [api = 0] = await freePorts(1);
  const router = new URL(ground.url);
  const { ca, cert, key } = diego.certs;
  return {
    api: { port: api },
    router: { host: router.hostname, port: Number(router.port) },
    diego: {
      ...{ bbs_url: diego.bbs_url, locket_address: diego.locket_address },
      tls: { ca_file: ca, cert_file: cert, key_file: key },
    },
    nats: {
      ...{ servers: [ground.nats.address], user: ground.nats.user, tls: 'off' },
      password_file: await secret('nats-password', ground.nats.password),
    },
    logs: {
      ...{ url: logs.gateway, agent: logs.agent },
      tls: {
        ca_file: await secret('agent-ca', logs.tls.ca),
        cert_file: await secret('agent-cert', logs.tls.cert),
        key_file: await secret('agent-key', logs.tls.key),
      },
    },
  };
}
