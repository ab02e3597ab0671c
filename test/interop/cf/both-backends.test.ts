/** The same bits on both backends, as in the talk: in a container, in a machine, in a container again. */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CfCli } from '../../support/cf/cli.js';
import { startContainerCell } from '../../support/cf/container-cell.js';
import { Platform } from '../../support/cf/platform.js';
import { describePeer, peer } from '../../support/peers.js';
import { root, until } from '../../support/unik.js';
import { send } from '../../support/routes/client.js';

jest.setTimeout(600_000);
const START = { timeout_ms: 500_000 };

describePeer('the same bits on both backends', ['cf'], () => {
  let platform: Platform;
  let cf: CfCli;
  /** Before the first one there is no folder for them. */
  const machines = async (): Promise<string[]> =>
    existsSync(join(platform.home, 'cf/cells/cell-0/home/machines')) ? platform.machines() : [];
  let containers: Awaited<ReturnType<typeof startContainerCell>> | undefined;

  /** The instance that answers, once one does that is not `before`. */
  const answering = (before?: string): Promise<string> =>
    until(
      'hello answers',
      async () => {
        const { status, body } = await send(platform.router, 'hello.apps.localhost');
        const id = /<code>([^<]+)<\/code>/.exec(body)?.[1];
        return status === 200 && id !== undefined && id !== before ? id : undefined;
      },
      120_000,
    );

  beforeAll(async () => {
    const plugin = execFileSync(process.execPath, [join(root, 'scripts/package-cf-plugin.mjs')], { encoding: 'utf8' });
    platform = await Platform.open();
    cf = new CfCli(peer('cf'), { CF_STARTUP_TIMEOUT: '8' });
    await cf.ok(['api', platform.api]);
    await cf.ok(['auth', 'admin', await platform.password()]);
    await cf.ok(['target', '-o', 'unik', '-s', 'dev']);
    await cf.ok(['install-plugin', '-f', plugin.trim()]);
    await cf.ok([
      ...['create-buildpack', 'container_buildpack'],
      ...[join(root, 'test/fixtures/cf/container_buildpack'), '1'],
    ]);
  });
  afterAll(async () => {
    await containers?.close();
    await platform.stop();
    expect(await platform.processes()).toEqual([]);
    cf.remove();
    await platform.remove();
  });

  test('no cell for containers: the push fails as Cloud Controller fails, and says which stacks there are', async () => {
    const { code, output } = await cf.run(['push', 'hello', '-m', '64M', '-p', join(root, 'samples/hello')], START);
    expect(code).toBe(1);
    expect(output).toContain('NoCompatibleCell');
    expect(output).toMatch(/unik/);
  });

  let first = '';
  test('in a container', async () => {
    containers = await startContainerCell(platform.home);
    await cf.ok(['push', 'hello', '-m', '64M', '-p', join(root, 'samples/hello')], START);
    expect(await cf.ok(['app', 'hello'])).toMatch(/stack:\s+cflinuxfs4/);
    first = await answering();
    expect(await machines()).toEqual([]);
  });

  let second = '';
  test('after enable-unik and a restage, in a machine', async () => {
    expect(await cf.ok(['enable-unik', 'hello'])).toContain("Use 'cf restage hello'");
    await cf.ok(['restage', 'hello'], START);
    expect(await cf.ok(['app', 'hello'])).toMatch(/stack:\s+unik\b/);
    second = await answering(first);
    expect(await machines()).toHaveLength(1);
    expect(await cf.ok(['unik-apps'])).toMatch(/hello\s+started\s+unik\s+linux\s+qemu\s+1\/1\s+[0-9a-f]{12}\s/);
  });

  test('after disable-unik and a restage, in a container again', async () => {
    expect(await cf.ok(['disable-unik', 'hello'])).toContain('Stack: unik -> cflinuxfs4');
    await cf.ok(['restage', 'hello'], START);
    expect(await cf.ok(['app', 'hello'])).toMatch(/stack:\s+cflinuxfs4/);
    await answering(second);
    await until('the machine is gone', async () => ((await machines()).length === 0 ? true : undefined), 60_000);
    await cf.ok(['delete', '-f', '-r', 'hello']);
  });
});
