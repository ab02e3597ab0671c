/** `--strategy rolling` while requests come: none of them fails. On the containers of a test's cell, which start quickly. */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CfCli } from '../../support/cf/cli.js';
import { startContainerCell } from '../../support/cf/container-cell.js';
import { Platform } from '../../support/cf/platform.js';
import { describePeer, peer } from '../../support/peers.js';
import { send } from '../../support/routes/client.js';
import { root, until } from '../../support/unik.js';

jest.setTimeout(300_000);

describePeer('a rolling deployment under load', ['cf'], () => {
  let platform: Platform;
  let cf: CfCli;
  let containers: Awaited<ReturnType<typeof startContainerCell>> | undefined;
  const site = (): string => join(platform.home, 'site');
  const get = (): Promise<{ status: number; body: string }> => send(platform.router, 'site.apps.localhost');

  beforeAll(async () => {
    platform = await Platform.open({ cells: 0, log_level: 'error' });
    containers = await startContainerCell(platform.home);
    cf = new CfCli(peer('cf'), { CF_STARTUP_TIMEOUT: '3' });
    await cf.ok(['api', platform.api]);
    await cf.ok(['auth', 'admin', await platform.password()]);
    await cf.ok(['target', '-o', 'unik', '-s', 'dev']);
    const buildpack = join(root, 'test/fixtures/cf/container_buildpack');
    await cf.ok(['create-buildpack', 'container_buildpack', buildpack, '1']);
    await mkdir(site());
    await writeFile(join(site(), 'index.html'), 'first');
    await cf.ok(['push', 'site', '-m', '64M', '-i', '3', '-p', site()], { timeout_ms: 240_000 });
    await until('it answers', async () => ((await get()).status === 200 ? true : undefined), 60_000);
  });
  afterAll(async () => {
    await cf.ok(['delete', '-f', '-r', 'site']);
    await containers?.close();
    await platform.stop();
    cf.remove();
    await platform.remove();
  });

  test('answers throughout, first with the old and in the end with the new', async () => {
    await writeFile(join(site(), 'index.html'), 'second');
    const answers = new Map<string, number>();
    let isOver = false;
    const load = async (): Promise<void> => {
      while (!isOver) {
        const { status, body } = await get().catch((err: unknown) => ({ status: 0, body: String(err) }));
        const answer = status === 200 ? body.trim() : `${status} ${body}`;
        answers.set(answer, (answers.get(answer) ?? 0) + 1);
      }
    };
    const senders = [load(), load()];
    await cf.ok(['push', 'site', '-m', '64M', '-p', site(), '--strategy', 'rolling'], { timeout_ms: 240_000 });
    await until(
      'the new one answers alone',
      async () => {
        const all = await Promise.all([get(), get(), get(), get()]);
        return all.every(({ body }) => body.trim() === 'second') ? true : undefined;
      },
      60_000,
    );
    isOver = true;
    await Promise.all(senders);
    expect([...answers.keys()].sort()).toEqual(['first', 'second']);
    expect(answers.get('first')).toBeGreaterThan(10);
    expect(await cf.ok(['app', 'site'])).toMatch(/instances:\s+3\/3/);
  });
});
