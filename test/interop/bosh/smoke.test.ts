/** The errand `smoke-tests` with the real `cf`, against a Cloud Foundry of one machine with real machines. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { nested, render } from '../../support/bosh/templates.js';
import { fillRelease, Vm } from '../../support/bosh/vm.js';
import { Platform } from '../../support/cf/platform.js';
import { describePeer, peer } from '../../support/peers.js';
import { until } from '../../support/unik.js';

describePeer('the errand smoke-tests', process.getuid?.() === 0 ? ['cf'] : ['root, for a VM of BOSH'], () => {
  let platform: Platform;
  let vm: Vm;
  beforeAll(async () => {
    fillRelease();
    platform = await Platform.open();
    vm = await Vm.start();
    await vm.compile(['unik-smoke-tests'], 'build-1');
    vm.install(
      'smoke-tests',
      nested({
        'unik.smoke_tests.api': platform.api,
        'unik.smoke_tests.username': 'admin',
        'unik.smoke_tests.password': await platform.password(),
        'unik.smoke_tests.router_port': Number(new URL(platform.router).port),
        'unik.smoke_tests.cf': peer('cf'),
      }),
      { id: 'smoke' },
    );
  }, 600_000);
  afterAll(async () => {
    await vm.close();
    await platform.stop();
    await platform.remove();
  }, 120_000);

  test('pushes, asks, scales, reads, kills and cleans up', async () => {
    const ran = await vm.script('smoke-tests', 'run', [], 560_000);
    expect({ code: ran.code, output: ran.code ? ran.stdout + ran.stderr : '' }).toEqual({ code: 0, output: '' });
    for (const step of ['push to stack unik', 'ask ', 'scale to 2', 'read the log', 'kill instance 0', 'clean up'])
      expect(ran.stdout).toContain(`== ${step}`);
    expect(ran.stdout).toMatch(/smoke tests passed\n*$/);
    expect(ran.stdout).not.toContain(await platform.password());
    // A deleted application is gone before its machines are.
    const machines = join(platform.home, 'cf/cells/cell-0/home/machines');
    await until('its machines to be gone', () => Promise.resolve(readdirSync(machines).length === 0 || undefined));
  }, 600_000);

  test('a wrong password ends it with a failure, and it deletes nothing', async () => {
    const made = render('smoke-tests', { unik: { smoke_tests: { api: platform.api, username: 'a', password: 'b' } } });
    expect(made).toHaveProperty('files');
    vm.install(
      'smoke-tests',
      nested({
        'unik.smoke_tests.api': platform.api,
        'unik.smoke_tests.username': 'admin',
        'unik.smoke_tests.password': 'wrong',
        'unik.smoke_tests.cf': peer('cf'),
      }),
      { id: 'smoke' },
    );
    const ran = await vm.script('smoke-tests', 'run', [], 120_000);
    expect(ran.code).not.toBe(0);
    expect(ran.stdout).not.toContain('smoke tests passed');
  }, 180_000);
});
