import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { createSign, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundleCli } from '../../support/bundle.js';
import { Cli, wrote } from '../../support/cli.js';
import { makeHome, removeHome } from '../../support/home.js';

jest.setTimeout(60_000);

let bundle: string;
const homes: string[] = [];

beforeAll(async () => {
  bundle = await bundleCli('daemon');
});

afterEach(async () => {
  for (const home of homes.splice(0)) {
    await rm(join(home, 'config.json'), { force: true });
    await new Cli(bundle, home).run('down');
    await removeHome(home);
  }
});

afterAll(() => rm(bundle));

async function setUp(config: Record<string, unknown> = {}): Promise<Cli> {
  const { home } = await makeHome(config);
  homes.push(home);
  return new Cli(bundle, home);
}

const pidOf = async (cli: Cli): Promise<number> =>
  (JSON.parse(await readFile(join(cli.home, 'daemon.lock'), 'utf8')) as { pid: number }).pid;

describe('the daemon', () => {
  test('in the foreground prints one ready line, and ends with 0 by SIGTERM', async () => {
    const cli = await setUp();
    const daemon = cli.start(['daemon']);
    await wrote(daemon, 'serves');
    expect(await cli.ok('ps', '-q')).toBe('');
    daemon.kill('SIGTERM');
    const { status, stdout } = await daemon.outcome;
    expect([status, stdout.split('\n').length]).toEqual([0, 2]);
    expect((await readdir(cli.home)).filter((name) => /sock|lock/.test(name))).toEqual([]);
  });

  test('is alone in its home, and takes over from a dead one', async () => {
    const cli = await setUp();
    expect(await cli.ok('daemon', '-d')).toContain('serves');
    const second = await cli.run('daemon');
    expect([second.status, second.stderr.includes('(daemon_running)')]).toEqual([1, true]);

    const pid = await pidOf(cli);
    process.kill(pid, 'SIGKILL');
    expect(await cli.ok('ps', '-q')).toBe('');
    expect(await pidOf(cli)).not.toBe(pid);
  });

  test('a lock that names another life of a living process number is stale', async () => {
    const cli = await setUp();
    await writeFile(join(cli.home, 'daemon.lock'), JSON.stringify({ pid: process.pid, start_ticks: '1' }));
    expect(await cli.ok('daemon', '-d')).toContain('serves');
  });

  test('started by several commands at once is one', async () => {
    const cli = await setUp();
    const all = await Promise.all(Array.from({ length: 6 }, () => cli.run('ps', '-q')));
    expect(all.map(({ status, stdout }) => [status, stdout])).toEqual(all.map(() => [0, '']));
  });
});

describe('machines', () => {
  test.each(['SIGKILL', 'SIGTERM'] as const)('outlive %s of the daemon, which finds them again', async (signal) => {
    const cli = await setUp();
    for (const name of ['a', 'b']) await cli.ok('run', '-d', '--name', name, '-e', 'FAKE_STDOUT=hello\n', 'hello');
    const pid = await pidOf(cli);
    process.kill(pid, signal);
    // The lock goes last; after SIGKILL it stays and is stale.
    while (signal === 'SIGTERM' && (await readdir(cli.home)).includes('daemon.lock'))
      await cli.ok('completion', 'bash');
    const rows = JSON.parse(await cli.ok('ps', '--json')) as { name: string; status: string }[];
    expect(rows.map(({ name, status }) => `${name} ${status}`).sort()).toEqual(['a running', 'b running']);
    expect(await cli.ok('logs', '--app', 'a')).toBe('hello');
    await cli.ok('stop', 'a', 'b');
    expect(await cli.ok('logs', '--app', 'a')).toBe('hello\ngoodbye');
  });

  test('do not outlive `down`, even where the daemon was killed before', async () => {
    const cli = await setUp();
    await cli.ok('run', '-d', '--name', 'a', 'hello');
    process.kill(await pidOf(cli), 'SIGKILL');
    expect(await cli.ok('down')).toBe('stopped 1 machine and the daemon');
    expect((await readdir(cli.home)).filter((name) => /sock|lock/.test(name))).toEqual([]);
    expect(await readdir(join(cli.home, 'providers', 'fake'))).toEqual([]);
    expect(JSON.parse(await cli.ok('ps', '-a', '--json'))).toMatchObject([{ name: 'a', status: 'exited' }]);
    await cli.ok('rm', 'a');
    expect(await cli.ok('down')).toBe('stopped 0 machines and the daemon');
    expect(await cli.ok('down')).toBe(`no daemon runs for ${cli.home}`);
  });

  test('leave nothing after rm: no record, no log, no file', async () => {
    const cli = await setUp();
    await cli.ok('run', '-d', '--name', 'a', 'hello');
    await cli.ok('rm', '-f', 'a');
    for (const dir of ['apps', 'instances', 'logs', 'providers/fake']) {
      expect([dir, await readdir(join(cli.home, dir))]).toEqual([dir, []]);
    }
  });
});

describe('a configuration', () => {
  test.each<[string, string, string]>([
    ['with an unknown key', '{"memry_mb": 1}', 'Unrecognized key: "memry_mb"'],
    ['with a wrong value', '{"network": {"mode": "magic"}}', 'network.mode'],
    ['that is no JSON', '{', 'config.json'],
    ['with TCP but no TLS', '{"listen": {"port": 1, "token_file": "x"}}', 'listen.tls'],
  ])('%s is refused, naming file and key', async (_why, text, named) => {
    const cli = await setUp();
    await writeFile(join(cli.home, 'config.json'), text);
    for (const words of [['daemon'], ['daemon', '-d'], ['ps']]) {
      const { status, stderr } = await cli.run(...words);
      expect([words, status]).toEqual([words, 1]);
      expect(stderr).toContain(named);
      expect(stderr).toMatch(/config\.json.*\(config_invalid\)\n {2}fix: /);
    }
    expect((await readdir(cli.home)).filter((name) => /sock|lock/.test(name))).toEqual([]);
  });

  test('whose home is too long for a socket is told', async () => {
    const cli = await setUp();
    const home = join(cli.home, 'x'.repeat(100));
    await mkdir(home);
    const { status, stderr } = await new Cli(bundle, home).run('daemon');
    expect([status, stderr.includes('(config_invalid)')]).toEqual([1, true]);
    expect(stderr).toContain('choose a shorter $UNIK_HOME');
  });

  test('of limits is kept', async () => {
    const cli = await setUp({ memory_mb: 200, max_machines: 1, defaults: { memory_mb: 32 } });
    expect((await cli.run('run', '-m', '300', 'hello')).stderr).toContain('(insufficient_memory)');
    await cli.ok('run', '-d', '--name', 'a', 'hello');
    expect(JSON.parse(await cli.ok('ps', '--json'))).toMatchObject([{ memory_mb: 32 }]);
    expect((await cli.run('run', 'hello')).stderr).toContain('(insufficient_machines)');
  });

  test('with a port serves on it too: TLS, and only with the token', async () => {
    const cli = await setUp();
    const { certificate, key } = selfSigned();
    const port = 20_000 + (process.pid % 20_000);
    const at = (name: string): string => join(cli.home, name);
    await writeFile(at('cert.pem'), certificate);
    await writeFile(at('key.pem'), key);
    await writeFile(at('token'), 'a token of many characters\n');
    const listen = { port, tls: { cert: at('cert.pem'), key: at('key.pem') }, token_file: at('token') };
    await writeFile(at('config.json'), JSON.stringify({ provider: 'fake', listen }));
    await cli.ok('daemon', '-d');

    const host = `https://127.0.0.1:${port}`;
    const afar = (token: string) =>
      cli.start(['images', '-q', '--host', host], { UNIK_CA: at('cert.pem'), UNIK_TOKEN: token }).outcome;
    expect(await afar('a token of many characters')).toMatchObject({ status: 0, stderr: '' });
    for (const token of ['', 'another token of as many']) {
      expect((await afar(token)).stderr).toContain('(unauthorized)');
    }
    expect((await cli.run('images', '--host', host)).stderr).toContain('(daemon_unreachable)');

    // A folder goes as an upload, and progress comes back.
    await mkdir(at('site'));
    await writeFile(at('site/index.html'), 'hello');
    const build = cli.start(['build', 'site', '-t', 'site', '--host', host], {
      UNIK_CA: at('cert.pem'),
      UNIK_TOKEN: 'a token of many characters',
    });
    const { status, stdout, stderr } = await build.outcome;
    expect([status, stderr]).toEqual([0, expect.stringContaining('sending')]);
    expect(stdout).toMatch(/^site [0-9a-f]{12}\n$/);

    await cli.ok('target', '--host', host, '--ca-file', 'cert.pem', '--token-file', 'token');
    expect(await cli.ok('images', '-q')).toContain('sha256:');
    await cli.ok('target', '--reset');
  });

  test('makes an owner once per home', async () => {
    const cli = await setUp({ deployment: 'lab' });
    await cli.ok('daemon', '-d');
    const id = await readFile(join(cli.home, 'cell-id.json'), 'utf8');
    expect((await stat(join(cli.home, 'cell-id.json'))).mode & 0o777).toBe(0o600);
    await cli.ok('down');
    expect(await cli.ok('daemon', '-d')).toContain(`lab/${(JSON.parse(id) as { cell_id: string }).cell_id}`);
  });
});

test('doctor works without a daemon, and starts none', async () => {
  const cli = await setUp();
  const { stdout } = await cli.run('doctor');
  expect(stdout).toContain('daemon: not running');
  expect(await readdir(cli.home)).not.toContain('unik.sock');
});

/** A certificate for 127.0.0.1 that signs itself, in DER by hand: Node reads certificates but makes none. */
function selfSigned(): { certificate: string; key: string } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const der = (tag: number, ...parts: (Buffer | string)[]): Buffer => {
    const body = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'hex') : part)));
    const length = body.length < 128 ? [body.length] : [0x82, body.length >> 8, body.length & 0xff];
    return Buffer.concat([Buffer.from([tag, ...length]), body]);
  };
  const ecdsaSha256 = der(0x30, der(0x06, '2a8648ce3d040302'));
  const name = der(0x30, der(0x31, der(0x30, der(0x06, '550403'), der(0x0c, Buffer.from('unik test')))));
  const time = (text: string): Buffer => der(0x17, Buffer.from(text));
  const altName = der(0x30, der(0x06, '551d11'), der(0x04, der(0x30, der(0x87, '7f000001'))));
  const body = der(
    0x30,
    der(0xa0, '020102'),
    der(0x02, '01'),
    ecdsaSha256,
    name,
    der(0x30, time('200101000000Z'), time('491231235959Z')),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, der(0x30, altName)),
  );
  const signature = createSign('sha256').update(body).sign(privateKey);
  const whole = der(0x30, body, ecdsaSha256, der(0x03, '00', signature));
  return {
    certificate: new X509Certificate(whole).toString(),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}
