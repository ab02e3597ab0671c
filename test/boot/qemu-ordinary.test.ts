import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { execa } from 'execa';
import { chmod, chown, mkdir, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { makeBench, makeSpec, open, type Bench } from '../support/qemu.js';

const isRoot = process.getuid?.() === 0;
if (!isRoot) console.log('skipped: the ordinary-user tests make an account and a device node, which needs root');
/** An account that nobody has. */
const UID = 1_234_567;
/** In a mount namespace of its own: whether ordinary users may open /dev/net/tun differs between hosts. */
const AS_USER = `
mount -t tmpfs -o mode=755 unik /dev/net
mknod -m "$1" /dev/net/tun c 10 200
shift
exec setpriv --reuid ${UID} --regid ${UID} --clear-groups --inh-caps=-all "$@"
`;
const BIG = 'ü"\n=,😀 '.repeat(10_000);

(isRoot ? describe : describe.skip)('an ordinary user', () => {
  let bench: Bench;
  let listener: Server;
  let program: string;

  beforeAll(async () => {
    bench = await makeBench();
    listener = createServer((peer) => peer.on('error', () => undefined).end()).listen(0, '0.0.0.0');
    await once(listener, 'listening');
    program = join(bench.dir, 'ordinary.mjs');
    const banner = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";
    const entryPoints = ['test/support/qemu-ordinary.ts'];
    await build({
      entryPoints,
      outfile: program,
      bundle: true,
      platform: 'node',
      format: 'esm',
      banner: { js: banner },
    });
  }, 120_000);
  afterAll(async () => {
    listener.close();
    await bench.close();
  });

  test.each([
    ['user', '666'],
    ['isolated', '600'],
  ] as const)(
    'gets network %s, with truthful checks and no way to the host',
    async (mode, tunMode) => {
      const specs = Object.fromEntries(
        ['web', 'deaf', 'big'].map((key) => {
          const spec = makeSpec(bench, key === 'big' ? 'big-env' : key, { key, owner: 'test/user' }, { mode, ...open });
          return [key, { ...spec, config: { ...spec.config, env: { BIG } } }];
        }),
      );
      const home = join(bench.dir, `home-${mode}`);
      await mkdir(home);
      await chown(home, UID, UID);
      await chmod(bench.dir, 0o755);
      await execa('chmod', ['-R', 'a+rX', bench.dir]);
      await writeFile(join(bench.dir, 'specs.json'), JSON.stringify(specs));
      const port = String((listener.address() as AddressInfo).port);
      const command = [process.execPath, program, home, join(bench.dir, 'specs.json'), port];
      const { stdout } = await execa('unshare', ['--mount', 'sh', '-c', AS_USER, 'sh', tunMode, ...command], {
        cwd: '/',
        timeout: 170_000,
      });
      const seen = JSON.parse(stdout) as Record<string, unknown> & { doors: string[] };
      expect(seen).toMatchObject({
        mode,
        exit: { reason: 'exited', code: 0 },
        printed: `${Buffer.byteLength(BIG)}\n`,
        page: 'ok',
        whileDeaf: false,
        whileStopped: false,
        stopped: { reason: 'exited', code: 0 },
        left: [],
      });
      // The guest's own loopback is among them, where nothing listens on that port.
      expect(seen.doors.length).toBeGreaterThan(2);
      expect(seen.doors).not.toContain('open');
    },
    180_000,
  );
});
