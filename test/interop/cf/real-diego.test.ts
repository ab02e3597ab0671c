/** Our Cloud Controller over the real BBS, Locket, auctioneer and gorouter: the talk's commands, with machines that boot. */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CfCli } from '../../support/cf/cli.js';
import { freePorts } from '../../support/diego/children.js';
import { startRealDiego, type RealDiego } from '../../support/diego/real.js';
import { describePeer, peer } from '../../support/peers.js';
import { send } from '../../support/routes/client.js';
import { startGround, type Ground } from '../../support/routes/ground.js';
import { root, until } from '../../support/unik.js';

jest.setTimeout(400_000);

const HOST = 'hello.apps.localhost';

describePeer('cf, our CC, the real Diego and gorouter', ['cf', 'bbs', 'locket', 'auctioneer', 'gorouter'], () => {
  let home: string;
  let diego: RealDiego;
  let ground: Ground;
  let up: ChildProcess;
  let cf: CfCli;

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'uk-real-'));
    diego = await startRealDiego();
    ground = await startGround({ stale_ms: 20_000, sweep_ms: 1_000 });
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
    expect(await cf.ok(['logs', 'hello', '--recent'])).toMatch(/\[CELL\/\d\]/);
    await cf.ok(['restart-app-instance', 'hello', '0']);
    await until('its replacement runs', running, 120_000);
    await cf.ok(['delete', 'hello', '-r', '-f']);
    const unknown = async (): Promise<true | undefined> =>
      (await send(ground.url, HOST)).status === 404 ? true : undefined;
    await until('its route is gone', unknown, 60_000);
  });
});
