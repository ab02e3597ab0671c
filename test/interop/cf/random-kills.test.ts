/** Thirty kills at random instants, of localcf, of its cell, or both, while commands run; machines are faked, all else is real. */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CfCli } from '../../support/cf/cli.js';
import { Platform } from '../../support/cf/platform.js';
import { describePeer, peer } from '../../support/peers.js';
import { until } from '../../support/unik.js';

jest.setTimeout(900_000);

const KILLS = 30;
const QUIET = ['-s', 'unik', '-m', '64M', '-u', 'process'];

/** The same sequence for the same seed, which a failure prints. */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * below);
  };
}

describePeer('thirty kills', ['cf'], () => {
  const seed = Number(process.env['UNIK_SEED'] ?? Math.floor(Math.random() * 1e6));
  const random = randomOf(seed);
  let platform: Platform;
  let cf: CfCli;
  let app: string;

  beforeAll(async () => {
    app = await mkdtemp(join(tmpdir(), 'unik-kills-'));
    await mkdir(app, { recursive: true });
    await writeFile(join(app, 'index.html'), 'hello');
    platform = await Platform.open({ cell: { provider: 'fake', staging: { network: 'off' } } });
    cf = new CfCli(peer('cf'));
    await cf.ok(['api', platform.api]);
    await cf.ok(['auth', 'admin', await platform.password()]);
    await cf.ok(['target', '-o', 'unik', '-s', 'dev']);
    await cf.ok(['push', 'one', ...QUIET, '-p', app]);
  });
  afterAll(async () => {
    await platform.stop();
    cf.remove();
    await Promise.all([platform.remove(), rm(app, { recursive: true, force: true })]);
  });

  const commands: string[][] = [
    ['push', 'one', ...QUIET, '-p', '.'],
    ['push', 'two', ...QUIET, '-p', '.'],
    ['scale', 'one', '-i', '3'],
    ['scale', 'one', '-i', '1'],
    ['restart', 'one'],
    ['stop', 'one'],
    ['start', 'one'],
    ['restage', 'one'],
    ['delete', 'two', '-f', '-r'],
    ['set-env', 'one', 'A', 'b'],
  ];

  test(`seed ${seed}: what is asked for in the end is reached, and nothing is left`, async () => {
    for (let n = 0; n < KILLS; n++) {
      const command = commands[random(commands.length)] ?? [];
      const doing = cf.run(command, { cwd: app, timeout_ms: 60_000 });
      await sleep(random(2_500));
      const whom = random(3);
      if (whom !== 1) await platform.kill();
      if (whom !== 0) await platform.killCell();
      if (whom !== 1) await platform.start();
      await doing;
    }
    // A build of before may still be under way, and there is one at a time: as a user would, it is tried again.
    const push = async (): Promise<true | undefined> => {
      const { code } = await cf.run(['push', 'one', ...QUIET, '-i', '2', '-p', '.'], { cwd: app });
      return code === 0 ? true : undefined;
    };
    await until('a push succeeds', push, 240_000);
    const both = async (): Promise<true | undefined> =>
      /instances:\s+2\/2/.test((await cf.run(['app', 'one'])).output) ? true : undefined;
    await until('two instances run', both, 180_000);
    for (const name of ['one', 'two']) await cf.ok(['delete', name, '-f', '-r']);
    const none = async (): Promise<true | undefined> => ((await platform.machines()).length === 0 ? true : undefined);
    await until('no machine is left', none, 60_000);
    expect(await cf.ok(['routes'])).toMatch(/No routes found/);
    expect(await cf.ok(['apps'])).toMatch(/No apps found/);
    await platform.stop();
    expect(await platform.processes()).toEqual([]);
  });
});
