/** The plugin in the real CLI. What it asks for is answered by a double, which can be put into every state. */
import { afterAll, beforeAll, beforeEach, expect, jest, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CfCli } from '../../support/cf/cli.js';
import { startCloudDouble, type CloudDouble, type CloudState } from '../../support/cf/cloud-double.js';
import { close, listen } from '../../support/cf/http.js';
import { describePeer, peer } from '../../support/peers.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const READY = { guid: 'p', state: 'READY', type: 'bits' };
const droplet = (stack: string, version = '1') => ({
  guid: 'd',
  state: 'STAGED',
  stack,
  buildpacks: [{ name: 'unik', version }],
});

jest.setTimeout(60_000);

for (const program of ['cf', 'cf9']) {
  describePeer(`the plugin in ${program}`, [program], () => {
    let cf: CfCli;
    let cloud: CloudDouble;
    let daemon: Server;
    let endpoint: string;
    let plugin: string;
    const fresh = (): CloudState => ({
      stacks: [
        { name: 'cflinuxfs4' },
        { name: 'unik', annotations: { 'unik-provider': 'qemu', 'unik-endpoints': endpoint } },
        { name: 'unik-aws' },
      ],
      apps: [
        {
          guid: 'app-guid',
          name: 'hello',
          state: 'STOPPED',
          lifecycle: { type: 'buildpack', data: { stack: 'cflinuxfs4', buildpacks: [] } },
          metadata: { labels: {}, annotations: {} },
        },
      ],
      variables: {},
      packages: [READY],
      stats: [],
      lines: [],
    });
    const app = () => {
      const [found] = cloud.state.apps;
      if (!found) throw new Error('the double has no app');
      return found;
    };

    beforeAll(async () => {
      plugin = execFileSync(process.execPath, [join(root, 'scripts/package-cf-plugin.mjs')], {
        encoding: 'utf8',
      }).trim();
      daemon = createServer((request, reply) =>
        reply.end(JSON.stringify({ stack: request.url === '/v1/info' ? 'unik' : 'wrong', version: '0.1.0' })),
      );
      await listen(daemon);
      endpoint = `http://127.0.0.1:${(daemon.address() as AddressInfo).port}`;
      cloud = await startCloudDouble(fresh());
      cf = new CfCli(peer(program));
      const installed = await cf.ok(['install-plugin', '-f', plugin]);
      expect(installed).toContain('Plugin unik 0.1.0 successfully installed.');
    }, 60_000);
    afterAll(async () => {
      cf.remove();
      await cloud.close();
      await close(daemon);
    });
    beforeEach(() => {
      Object.assign(cloud.state, { refuse: undefined, droplet: undefined }, fresh());
      cloud.patches.length = 0;
    });

    test('without a target it says what to type', async () => {
      const fresher = new CfCli(peer(program), { CF_PLUGIN_HOME: cf.home });
      const { code, output } = await fresher.run(['enable-unik', 'hello']);
      fresher.remove();
      expect(code).toBe(1);
      expect(output).toContain('No API endpoint set');
      expect(output).toContain('FAILED');
    });

    test('listed, helped, and its alias works', async () => {
      await cf.ok(['login', '-a', cloud.url, '-u', 'admin', '-p', 'x', '-o', 'org', '-s', 'space']);
      expect(await cf.ok(['plugins'])).toMatch(/unik\s+0\.1\.0\s+unik-apps, unik-status\s/);
      const help = await cf.ok(['enable-unik', '--help']);
      expect(help).toContain('cf enable-unik APP_NAME [ENDPOINT] [--provider PROVIDER] [--guest GUEST]');
      expect(help).toMatch(/ --guest +Which kind of unikernel/);
      expect(await cf.ok(['unik-status'])).toContain('No app of this space runs as unikernels.');
    });

    test('enable, again, list, disable: as the platform then has it', async () => {
      const enabled = await cf.ok(['enable-unik', 'hello']);
      expect(enabled).toMatch(/^Enabling unikernels for app hello in org org \/ space space as admin\.\.\.\n\n/);
      expect(enabled).toMatch(
        /Stack: cflinuxfs4 -> unik\nOK\n\nTIP: Use 'cf start hello' to stage and start the app\./,
      );
      expect(app()).toMatchObject({
        lifecycle: { data: { stack: 'unik' } },
        metadata: { labels: { 'unik-enabled': 'true' }, annotations: { 'unik-previous-stack': 'cflinuxfs4' } },
      });
      const asked = cloud.patches.length;
      expect(await cf.ok(['enable-unik', 'hello'])).toContain("already enabled for app 'hello': its stack is 'unik'");
      expect(cloud.patches).toHaveLength(asked);
      expect(await cf.ok(['unik-apps'])).toMatch(/hello\s+stopped\s+unik \(not staged\)\s+-\s+qemu\s+0\/0/);

      expect(await cf.ok(['disable-unik', 'hello'])).toContain('Stack: unik -> cflinuxfs4\nOK');
      expect(app()).toMatchObject({
        lifecycle: { data: { stack: 'cflinuxfs4' } },
        metadata: { labels: {}, annotations: {} },
      });
      expect(await cf.ok(['disable-unik', 'hello'])).toContain("not enabled for app 'hello'");
    });

    test('a droplet for the old stack needs a restage, and it says so', async () => {
      cloud.state.droplet = droplet('cflinuxfs4');
      expect(await cf.ok(['enable-unik', 'hello'])).toContain("TIP: Use 'cf restage hello', not 'cf start'");
      app().state = 'STARTED';
      expect(await cf.ok(['enable-unik', 'hello', '--provider', 'aws'])).toContain("'--strategy rolling'");
      expect(app().lifecycle.data.stack).toBe('unik-aws');
    });

    test('nothing uploaded yet', async () => {
      cloud.state.packages = [];
      expect(await cf.ok(['enable-unik', 'hello'])).toContain("TIP: Use 'cf push hello' to upload the app");
    });

    test('a guest, and an endpoint of the list', async () => {
      const output = await cf.ok(['enable-unik', 'hello', endpoint, '--guest', 'nanos']);
      expect(output).toContain(`Variable UNIK_ENDPOINT: ${endpoint}`);
      expect(cloud.state.variables).toEqual({ UNIK_ENDPOINT: endpoint, UNIK_GUEST: 'nanos' });
      await cf.ok(['disable-unik', 'hello']);
      expect(cloud.state.variables).toEqual({});
    });

    test('a buildpack that the stack lacks is named', async () => {
      app().lifecycle.data.buildpacks = ['container_buildpack'];
      const { code, stderr } = await cf.run(['enable-unik', 'hello']);
      expect(code).toBe(0);
      expect(stderr).toContain("Buildpack 'container_buildpack' is not offered for stack 'unik'");
    });

    test.each<[why: string, prepare: () => void, args: () => string[], text: () => string]>([
      ['no such app', () => undefined, () => ['ghost'], () => "App 'ghost' not found."],
      [
        'a Docker image',
        () => (app().lifecycle = { type: 'docker', data: {} }),
        () => ['hello'],
        () => 'is a Docker image',
      ],
      ['buildpacks of the other kind', () => (app().lifecycle.type = 'cnb'), () => ['hello'], () => "lifecycle 'cnb'"],
      [
        'a platform without unikernels',
        () => (cloud.state.stacks = [{ name: 'cflinuxfs4' }]),
        () => ['hello'],
        () => "Stack 'unik' does not exist on this platform: it has no unikernel cells",
      ],
      ['no such provider', () => undefined, () => ['hello', '--provider', 'arm'], () => 'it has unik, unik-aws'],
      [
        'an endpoint that no operator listed',
        () => (cloud.state.stacks = [{ name: 'unik' }]),
        () => ['hello', endpoint],
        () => `${endpoint} is not among the endpoints of stack 'unik'`,
      ],
      [
        'an endpoint where nobody is',
        () => undefined,
        () => ['hello', 'http://127.0.0.1:1'],
        () => 'http://127.0.0.1:1: ',
      ],
      ['no URL', () => undefined, () => ['hello', 'here'], () => 'Incorrect Usage: ENDPOINT is http://HOST:PORT'],
      [
        'a user who may only look',
        () => (cloud.state.refuse = { status: 403, title: 'CF-NotAuthorized', detail: 'You are not authorized' }),
        () => ['hello'],
        () => 'You are not authorized',
      ],
    ])('%s is refused, and nothing is changed', async (_why, prepare, args, text) => {
      prepare();
      const { code, stdout, stderr } = await cf.run(['enable-unik', ...args()]);
      expect(code).toBe(1);
      expect(stderr).toContain(text());
      expect(stdout).toContain('FAILED');
      expect(cloud.patches).toEqual([]);
    });

    test('what runs: stack, guest, provider, image, boot time', async () => {
      app().state = 'STARTED';
      app().lifecycle.data.stack = 'unik';
      cloud.state.droplet = droplet('unik', '0.1.0+linux.3f2a91c07d4e.2202010');
      cloud.state.stats = [{ index: 0, state: 'RUNNING', instance_guid: 'i-1' }];
      cloud.state.lines = [
        { at: '1764000002500000001', instance: 'i-1', text: 'Container became healthy' },
        { at: '1764000001000000001', instance: 'i-1', text: 'Cell c successfully created container for instance i-1' },
      ];
      expect(await cf.ok(['unik-apps'])).toMatch(
        /hello\s+started\s+unik\s+linux\s+qemu\s+1\/1\s+3f2a91c07d4e\s+2\.1 MB\s+1\.5 s/,
      );
      expect(JSON.parse(await cf.ok(['unik-apps', '--json']))).toEqual([
        expect.objectContaining({ name: 'hello', image: { digest: '3f2a91c07d4e', bytes: 2_202_010 }, boot_ms: 1_500 }),
      ]);
    });

    test('removed', async () => {
      expect(await cf.ok(['uninstall-plugin', 'unik'])).toContain('successfully uninstalled');
      expect((await cf.run(['unik-apps'])).output).toContain("'unik-apps' is not a registered command");
    });
  });
}
