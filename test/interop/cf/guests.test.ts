/** The same bits on a library operating system and on Linux, side by side, pushed and switched as in the talk. */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { importShippedKernels } from '../../../backend/kernels.js';
import { systemClock } from '../../../core/clock.js';
import { homePaths } from '../../../core/home.js';
import { noLog } from '../../../core/log.js';
import { KernelCatalogue } from '../../../executor/kernels/catalogue.js';
import { CfCli } from '../../support/cf/cli.js';
import { Platform } from '../../support/cf/platform.js';
import { describePeer, peer } from '../../support/peers.js';
import { send } from '../../support/routes/client.js';
import { kernelsOf } from '../../support/test-kernels.js';
import { root, until } from '../../support/unik.js';

jest.setTimeout(600_000);
const BITS = join(root, 'test/fixtures/apps/static');
const GUESTS = ['unikraft', 'linux'] as const;

const [kernel] = kernelsOf('unikraft');
const TITLE = 'cf push on unikraft and on linux';
if (kernel === undefined) describe.skip(TITLE, () => sideBySide(''));
else describePeer(TITLE, ['cf'], () => sideBySide(kernel));

function sideBySide(file: string): void {
  let platform: Platform;
  let cf: CfCli;

  beforeAll(async () => {
    const plugin = execFileSync(process.execPath, [join(root, 'scripts/package-cf-plugin.mjs')], {
      encoding: 'utf8',
    });
    platform = await Platform.open({}, async (home) => {
      // As an operator gives a cell a kernel, before it starts.
      const { kernels } = homePaths(join(home, 'cf/cells/cell-0/home'));
      const catalogue = new KernelCatalogue({ dir: kernels, clock: systemClock, log: noLog });
      const shipped = { assets: join(root, '.assets'), providers: ['qemu'] as const };
      await importShippedKernels(catalogue, shipped, noLog);
      const { digest } = await catalogue.importGuest(file, { guest: 'unikraft', arch: 'x86_64' });
      console.log(`kernel of unikraft: ${digest}`);
    });
    cf = new CfCli(peer('cf'), { CF_STARTUP_TIMEOUT: '8' });
    await cf.ok(['api', platform.api]);
    await cf.ok(['auth', 'admin', await platform.password()]);
    await cf.ok(['target', '-o', 'unik', '-s', 'dev']);
    await cf.ok(['install-plugin', '-f', plugin.trim()]);
  });
  afterAll(async () => {
    await platform.stop();
    expect(await platform.processes()).toEqual([]);
    cf.remove();
    await platform.remove();
  });

  test.each(GUESTS)('%s: pushed, enabled, started', async (guest) => {
    await cf.ok(['push', `on-${guest}`, '--no-start', '-m', '64M', '-p', BITS]);
    await cf.ok(['enable-unik', `on-${guest}`, '--guest', guest]);
    expect(await cf.ok(['start', `on-${guest}`], { timeout_ms: 500_000 })).toMatch(/#0\s+running/);
  });

  test('both run at once, each on its guest, and both answer through the router', async () => {
    const apps = JSON.parse(await cf.ok(['unik-apps', '--json'])) as { name: string; guest: string; state: string }[];
    for (const guest of GUESTS) {
      expect(apps).toContainEqual(expect.objectContaining({ name: `on-${guest}`, guest, state: 'started' }));
      const answer = async (): Promise<string | undefined> => {
        const { status, body } = await send(platform.router, `on-${guest}.apps.localhost`);
        return status === 200 ? body : undefined;
      };
      expect(await until(`on-${guest} answers`, answer, 60_000)).toContain('static says hello');
    }
    const machines = await platform.machines();
    expect(machines).toHaveLength(2);
  });
}
