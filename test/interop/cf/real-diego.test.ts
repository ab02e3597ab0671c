/**
 * Our Cloud Controller over the real BBS, Locket, auctioneer and gorouter: the talk's commands, with machines that boot.
 * Once with the log-cache inside, once with the real one and the agents before it.
 */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CfCli } from '../../support/cf/cli.js';
import { freePorts } from '../../support/diego/children.js';
import { startRealDiego, type RealDiego } from '../../support/diego/real.js';
import { ALL_PEERS, startRealLogs, type LogPeer, type RealLogs } from '../../support/logs/real.js';
import { describePeer, peer } from '../../support/peers.js';
import { send } from '../../support/routes/client.js';
import { startGround, type Ground } from '../../support/routes/ground.js';
import { root, until } from '../../support/unik.js';

jest.setTimeout(400_000);

const HOST = 'hello.apps.localhost';
const DIEGO = ['cf', 'bbs', 'locket', 'auctioneer', 'gorouter'];

describePeer('cf, our CC, the real Diego and gorouter', DIEGO, () => talk([]));
describePeer('the same, and the real log-cache', [...DIEGO, ...ALL_PEERS], () => talk(ALL_PEERS));

/** `logPeers`: none, or all of them. */
function talk(logPeers: readonly LogPeer[]): void {
  let home: string;
  let diego: RealDiego;
  let ground: Ground;
  let logs: RealLogs | undefined;
  let up: ChildProcess;
  let cf: CfCli;

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'uk-real-'));
    diego = await startRealDiego();
    ground = await startGround({ stale_ms: 20_000, sweep_ms: 1_000 });
    if (logPeers.length > 0) logs = await startRealLogs(logPeers);
    const [api = 0] = await freePorts(1);
    const { address, user, password } = ground.nats;
    await writeFile(join(home, 'nats-password'), password, { mode: 0o600 });
    const { ca, cert, key } = diego.certs;
    const url = new URL(ground.url);
    const config = {
      api: { port: api },
      router: { host: url.hostname, port: Number(url.port) },
      diego: {
        ...{ bbs_url: diego.bbs_url, locket_address: diego.locket_address },
        tls: { ca_file: ca, cert_file: cert, key_file: key },
      },
      nats: { servers: [address], user, password_file: join(home, 'nats-password'), tls: 'off' },
      logs: logs && { url: logs.gateway, agent: logs.agent, tls: await filesOf(logs, home) },
    };
    await writeFile(join(home, 'up.json'), JSON.stringify(config));
    up = spawn(process.execPath, [join(root, 'dist/unik.mjs'), 'up', '--config', join(home, 'up.json')], {
      env: { ...process.env, UNIK_HOME: home },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    cf = new CfCli(peer('cf'));
    const serves = async (): Promise<true | undefined> =>
      (await cf.run(['api', `http://127.0.0.1:${api}`])).code === 0 ? true : undefined;
    await until('the API serves', serves, 60_000);
    const admin = JSON.parse(await readFile(join(home, 'cf/admin.json'), 'utf8')) as { password: string };
    await cf.ok(['auth', 'admin', admin.password]);
    await cf.ok(['target', '-o', 'unik', '-s', 'dev']);
  });

  afterAll(async () => {
    const ended = new Promise((resolve) => up.once('exit', resolve));
    up.kill('SIGTERM');
    await ended;
    await logs?.close();
    await ground.close();
    await diego.close();
    cf.remove();
    await rm(home, { recursive: true, force: true });
  });

  test('push, start, scale, logs, kill, delete', async () => {
    await cf.ok(['push', 'hello', '--no-start', '-s', 'unik', '-p', join(root, 'samples/hello')]);
    expect(await cf.ok(['start', 'hello'], { timeout_ms: 300_000 })).toMatch(/#0\s+running/);
    const answers = async (): Promise<true | undefined> =>
      (await send(ground.url, HOST)).status === 200 ? true : undefined;
    await until('it answers through gorouter', answers, 30_000);
    await cf.ok(['scale', 'hello', '-i', '2']);
    const running = async (): Promise<true | undefined> =>
      /instances:\s+2\/2/.test(await cf.ok(['app', 'hello'])) ? true : undefined;
    await until('two instances run', running, 120_000);
    const lines = async (): Promise<true | undefined> => {
      const said = await cf.ok(['logs', 'hello', '--recent']);
      return ['[STG/', '[CELL/', '[APP/PROC/WEB/'].every((source) => said.includes(source)) || undefined;
    };
    await until("staging's, the cell's and the app's lines are shown", lines, 30_000);
    await cf.ok(['restart-app-instance', 'hello', '0']);
    await until('its replacement runs', running, 120_000);
    await cf.ok(['delete', 'hello', '-r', '-f']);
    const unknown = async (): Promise<true | undefined> =>
      (await send(ground.url, HOST)).status === 404 ? true : undefined;
    await until('its route is gone', unknown, 60_000);
  });
}

/** Writes what the agent's clients need; the key is for its owner alone. */
async function filesOf({ tls }: RealLogs, dir: string) {
  const files = {
    ca_file: join(dir, 'agent-ca'),
    cert_file: join(dir, 'agent-cert'),
    key_file: join(dir, 'agent-key'),
  };
  await writeFile(files.ca_file, tls.ca);
  await writeFile(files.cert_file, tls.cert);
  await writeFile(files.key_file, tls.key, { mode: 0o600 });
  return files;
}
