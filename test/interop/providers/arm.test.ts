/** Cloud Foundry on boards that boot from the network, and the talk's toaster. */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Boards, whyNoBoards } from '../../support/boards.js';
import { Platform } from '../../support/cf/platform.js';
import { openPusher, type Pusher } from '../../support/cf/pusher.js';
import { send } from '../../support/routes/client.js';
import { root, until } from '../../support/unik.js';

jest.setTimeout(600_000);

const why = whyNoBoards();
if (why !== undefined) process.stderr.write(`skipped: arm: ${why}\n`);
/** Pin 4 of the controller. */
const PIN = 1 << 4;

(why === undefined ? describe : describe.skip)('Cloud Foundry on arm', () => {
  let dir: string;
  let boards: Boards;
  let platform: Platform;
  let pusher: Pusher;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'unik-arm-'));
    boards = await Boards.open(3);
    const cell = {
      ...{ provider: 'arm', provider_options: { arm: boards.settings({ load_timeout_s: 300 }) } },
      ...{ memory_mb: 4096, containers: 3 },
    };
    platform = await Platform.open({ stacks: ['unik-arm'], cell });
    pusher = await openPusher(platform);
  });
  afterAll(async () => {
    try {
      pusher.close();
      await platform.stop();
      expect(await platform.processes()).toEqual([]);
      await platform.remove();
    } finally {
      await boards.close();
      await rm(dir, { recursive: true, force: true });
    }
  });

  const page = (): Promise<string> =>
    until(
      'the toaster answers',
      async () => {
        const { status, body } = await send(platform.router, 'toaster.apps.localhost');
        return status === 200 ? body : undefined;
      },
      240_000,
    );
  const running = (count: number): Promise<true> =>
    until(
      `${count} instances run`,
      async () => {
        const states = await pusher.states('toaster');
        return states.length === count && states.every((state) => state === 'RUNNING') ? true : undefined;
      },
      240_000,
    );
  const on = (count: number): Promise<string[]> =>
    until(`${count} boards are on`, () => Promise.resolve(boards.on.length === count ? boards.on : undefined), 240_000);

  test('a push boots a board over the network, and the router leads to it', async () => {
    await pusher.push('toaster', 'unik-arm', join(root, 'samples/toaster'));
    expect(await page()).toContain('arm64');
    expect(boards.on).toHaveLength(1);
  });

  test('its logs are what its console says', async () => {
    const said = /the toaster hangs on line 4/;
    await until('the app is heard', async () => (said.test(await pusher.logs('toaster')) ? true : undefined));
  });

  test('a pin of the board follows the page, seen from outside', async () => {
    const [board = ''] = boards.on;
    const press = async (what: 'on' | 'off'): Promise<void> => {
      const { status } = await send(platform.router, 'toaster.apps.localhost', { path: `/${what}`, method: 'POST' });
      expect(status).toBe(303);
    };
    expect((await boards.pins(board)) & PIN).toBe(0);
    await press('on');
    expect((await boards.pins(board)) & PIN).toBe(PIN);
    expect(await page()).toContain('Pop');
    await press('off');
    expect((await boards.pins(board)) & PIN).toBe(0);
  });

  test('scaled to two, a board whose plug is pulled is seen, and its instance goes to another', async () => {
    await pusher.scale('toaster', 2);
    await running(2);
    const [first = '', second = ''] = await on(2);
    await boards.powerOff(first);
    const now = await until(
      'another board is on',
      () => Promise.resolve(boards.on.length === 2 && !boards.on.includes(first) ? boards.on : undefined),
      240_000,
    );
    expect(now).toContain(second);
    await running(2);
    await page();
  });

  test('a second push replaces the first', async () => {
    await pusher.scale('toaster', 1);
    await on(1);
    const changed = join(dir, 'toaster');
    await cp(join(root, 'samples/toaster'), changed, { recursive: true });
    const text = await readFile(join(changed, 'page.html'), 'utf8');
    await writeFile(join(changed, 'page.html'), text.replace('<h1>Toaster</h1>', '<h1>Toaster, second</h1>'));
    await pusher.push('toaster', 'unik-arm', changed);
    await until('the second answers', async () => ((await page()).includes('second') ? true : undefined), 240_000);
    await on(1);
  });

  test('after its deletion no board is on', async () => {
    await pusher.delete('toaster');
    await on(0);
  });

  test('what needs a runtime for arm64 is refused when it is staged, and no board is touched', async () => {
    const before = boards.calls.length;
    const push = pusher.push('node', 'unik-arm', join(root, 'test/fixtures/apps/node-bare'));
    await expect(push).rejects.toThrow(/needs Node\.js for aarch64.*runtime_missing/s);
    expect(boards.calls.slice(before)).toEqual([]);
    await pusher.delete('node');
  });
});
