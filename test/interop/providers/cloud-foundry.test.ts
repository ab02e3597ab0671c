/** Cloud Foundry on each provider: pushed, routed, logged, scaled, replaced, deleted. A provider adds one row. */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Platform } from '../../support/cf/platform.js';
import { openPusher, type Pusher } from '../../support/cf/pusher.js';
import { arm } from '../../support/elsewhere/arm.js';
import { aws } from '../../support/elsewhere/aws.js';
import type { Elsewhere, ElsewhereRow } from '../../support/elsewhere/elsewhere.js';
import { openstack } from '../../support/elsewhere/openstack.js';
import { virtualbox } from '../../support/elsewhere/virtualbox.js';
import { vsphere } from '../../support/elsewhere/vsphere.js';
import { commandLines, textsBelow } from '../../support/exposed.js';
import { whyNoPeerNet } from '../../support/peer-net.js';
import { describePeer } from '../../support/peers.js';
import { send } from '../../support/routes/client.js';
import { root, until } from '../../support/unik.js';

jest.setTimeout(600_000);
/** A board of an emulator fetches its kernel over the network. */
const PATIENCE_MS = 240_000;

const ROWS: readonly ElsewhereRow[] = [aws, vsphere, virtualbox, openstack, arm];
const HELLO = {
  folder: join(root, 'samples/hello'),
  page: /<code>[^<]+<\/code>/,
  said: /hello from instance 0/,
};

for (const row of ROWS) {
  const title = `Cloud Foundry on ${row.provider}`;
  const lacks = row.lacks?.();
  if (lacks !== undefined) {
    process.stderr.write(`skipped: ${title}: ${lacks}\n`);
    test.skip(`${title}: ${lacks}`, () => expect(lacks).toBeUndefined());
    continue;
  }
  describePeer(title, row.peers, () => {
    const stack = `unik-${row.provider}`;
    const app = row.app ?? HELLO;
    let dir: string;
    let there: Elsewhere;
    let platform: Platform;
    let pusher: Pusher;

    beforeAll(async () => {
      const why = whyNoPeerNet();
      if (why !== undefined) throw new Error(why);
      dir = await mkdtemp(join(tmpdir(), 'unik-there-'));
      there = await row.open(dir);
      const cell = { ...there.cell, provider: row.provider, provider_options: { [row.provider]: there.options } };
      platform = await Platform.open({ stacks: [stack], cell });
      pusher = await openPusher(platform);
    });
    afterAll(async () => {
      pusher.close();
      await platform.stop();
      expect(await platform.processes()).toEqual([]);
      await there.close();
      await platform.remove();
      await rm(dir, { recursive: true, force: true });
    });

    const answering = (): Promise<true> =>
      until(
        'the app answers',
        async () => {
          const { status, body } = await send(platform.router, 'hello.apps.localhost');
          return status === 200 && app.page.test(body) ? true : undefined;
        },
        PATIENCE_MS,
      );
    /** Names of the machines, once there are so many. */
    const machines = (count: number): Promise<string[]> =>
      until(
        `${count} machines run at ${row.provider}`,
        async () => {
          const found = await there.living();
          return found.length === count ? found : undefined;
        },
        PATIENCE_MS,
      );
    const running = (count: number): Promise<true> =>
      until(
        `${count} instances run`,
        async () => {
          const states = await pusher.states('hello');
          return states.length === count && states.every((state) => state === 'RUNNING') ? true : undefined;
        },
        PATIENCE_MS,
      );

    test('a push makes a machine there, and the router leads to it', async () => {
      await pusher.push('hello', stack, app.folder);
      await answering();
      await machines(1);
    });

    test('its logs are what its console says', async () => {
      await until('the app is heard', async () => (app.said.test(await pusher.logs('hello')) ? true : undefined));
    });

    test('scaled to two, and one that the provider loses is replaced', async () => {
      await pusher.scale('hello', 2);
      await running(2);
      const [first = '', second = ''] = await machines(2);
      await there.lose(first);
      const now = await until(
        'another machine is there',
        async () => {
          const found = await there.living();
          return found.length === 2 && !found.includes(first) ? found : undefined;
        },
        PATIENCE_MS,
      );
      expect(now).toContain(second);
      await running(2);
      await answering();
    });

    test('what opens the provider is in no command line, log or record', async () => {
      // What machines are made of is not ours to tell.
      const made = /\.(raw|vdi|iso|erofs|gz|zip|ko)$|\/kernels\/|\/downloads\//;
      const said = [await commandLines(), ...(await textsBelow(join(platform.home, 'cf/cells/cell-0'), made))];
      expect(said.length).toBeGreaterThan(5);
      for (const secret of there.secrets) expect(said.filter((text) => text.includes(secret))).toEqual([]);
    });

    test('after its deletion, and the cell’s next look, nothing of it is left there', async () => {
      await pusher.delete('hello');
      await machines(0);
      // It looks when it begins, as it does every hour.
      await platform.killCell();
      const left = (): Promise<string[]> =>
        there.left(join(platform.home, 'cf/cells/cell-0/home/providers', row.provider));
      const empty = async (): Promise<true | undefined> => ((await left()).length === 0 ? true : undefined);
      await until('nothing is left', empty, 60_000).catch(async () => expect(await left()).toEqual([]));
    });
  });
}
