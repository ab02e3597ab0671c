/** `kill -9` of localcf, of its cell, of both, while the CLI works: afterwards what was asked for is reached, and nothing leaks. */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CfCli } from '../../support/cf/cli.js';
import { Platform } from '../../support/cf/platform.js';
import { describePeer, peer } from '../../support/peers.js';
import { send } from '../../support/routes/client.js';
import { root, until } from '../../support/unik.js';

jest.setTimeout(600_000);

const SAMPLE = join(root, 'samples/hello');

describePeer('kill -9', ['cf'], () => {
  let platform: Platform;
  let cf: CfCli;
  const answers = (host: string, status: number): Promise<true> =>
    until(
      `${host} answers ${status}`,
      async () => ((await send(platform.router, host)).status === status ? true : undefined),
      180_000,
    );
  const shows = (words: string[], what: RegExp): Promise<true> =>
    until(
      `cf ${words.join(' ')} shows ${String(what)}`,
      async () => (what.test((await cf.run(words)).output) ? true : undefined),
      180_000,
    );

  beforeAll(async () => {
    platform = await Platform.open();
    cf = new CfCli(peer('cf'));
    await cf.ok(['api', platform.api]);
    await cf.ok(['auth', 'admin', await platform.password()]);
    await cf.ok(['target', '-o', 'unik', '-s', 'dev']);
  });
  afterAll(async () => {
    await platform.stop();
    cf.remove();
    await platform.remove();
  });

  test('of localcf in the middle of a push: the same push again succeeds', async () => {
    const pushing = cf.run(['push', 'one', '-s', 'unik', '-m', '64M', '-p', SAMPLE]);
    await sleep(1_500);
    await platform.kill();
    await pushing;
    await platform.start();
    // A build of before may still be under way, and there is one at a time.
    const push = async (): Promise<true | undefined> =>
      (await cf.run(['push', 'one', '-s', 'unik', '-m', '64M', '-p', SAMPLE])).code === 0 ? true : undefined;
    await until('a push succeeds', push, 400_000);
    await answers('one.apps.localhost', 200);
  });

  test('of localcf while an app runs: it answers again at once, from the same machine', async () => {
    const before = await platform.machines();
    await platform.kill();
    await platform.start();
    await answers('one.apps.localhost', 200);
    expect(await platform.machines()).toEqual(before);
  });

  test('of the cell: the same machine is taken back', async () => {
    const before = await platform.machines();
    await platform.killCell();
    await answers('one.apps.localhost', 200);
    await shows(['app', 'one'], /#0\s+running/);
    expect(await platform.machines()).toEqual(before);
  });

  test('of both in the middle of scaling: it has been scaled', async () => {
    const scaling = cf.run(['scale', 'one', '-i', '2']);
    await sleep(300);
    await Promise.all([platform.kill(), platform.killCell()]);
    await scaling;
    await platform.start();
    await cf.ok(['scale', 'one', '-i', '2'], { timeout_ms: 400_000 });
    await shows(['app', 'one'], /instances:\s+2\/2/);
  });

  test('of both in the middle of a delete: nothing of it is left', async () => {
    const deleting = cf.run(['delete', 'one', '-f', '-r']);
    await sleep(100);
    await Promise.all([platform.kill(), platform.killCell()]);
    await deleting;
    await platform.start();
    await cf.ok(['delete', 'one', '-f', '-r']);
    await answers('one.apps.localhost', 404);
    await until(
      'no machine is left',
      async () => ((await platform.machines()).length === 0 ? true : undefined),
      90_000,
    );
  });

  test('after the end no process of it is left', async () => {
    await platform.stop();
    expect(await platform.processes()).toEqual([]);
  });
});
