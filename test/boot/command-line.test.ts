/** What a user relies on, through the real command and real machines: environment, crashes, memory, kernels, owners. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fetchUntil200, filesBelow, freePort, makeUnik, processesOf, root, until, type Unik } from '../support/unik.js';

interface Seen {
  name: string;
  status: string;
  kernel?: string;
  exit?: { reason: string; status: number; message: string; at: number };
}

const app = `
const http = require('node:http');
let hoard = [];
http.createServer((request, reply) => {
  if (request.url === '/env') return reply.end(JSON.stringify(process.env));
  if (request.url === '/fill') return setInterval(() => hoard.push(Buffer.alloc(8 << 20, 1)), 5);
  reply.end('here');
}).listen(process.env.PORT);
`;

let unik: Unik;
beforeAll(async () => {
  unik = await makeUnik();
  const dir = join(unik.home, 'src/app');
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'package.json'), JSON.stringify({ name: 'app', scripts: { start: 'node main.js' } }));
  writeFileSync(join(dir, 'main.js'), app);
  await unik.ok(['build', dir, '-t', 'app']);
  await unik.ok(['build', join(root, 'samples/hello'), '-t', 'hello']);
}, 120_000);
afterAll(async () => {
  await unik.close();
  expect(await processesOf(unik.home)).toEqual([]);
}, 60_000);

const inspect = async (name: string, from = unik): Promise<Seen> => {
  const [seen] = await from.json<Seen[]>(['inspect', name]);
  if (!seen) throw new Error(`no ${name}`);
  return seen;
};
const pids = async (home: string, program: RegExp): Promise<number[]> =>
  (await processesOf(home)).filter((line) => program.test(line)).map((line) => Number.parseInt(line, 10));

test('an environment of any text comes back exactly', async () => {
  const env = {
    QUOTES: `"double" 'single' \`back\` \\ \\n $HOME \${PORT} %s`,
    EQUALS: 'a=b==c=',
    COMMAS: ',a,,b,',
    LINES: 'first\nsecond\r\n\tthird\n',
    EMOJI: '🐳→🦄 ünïcödé',
    EMPTY: '',
    JSON: JSON.stringify({ list: Array.from({ length: 4_000 }, (_, i) => ({ i, text: `"${i}", é=🦄` })) }),
  };
  expect(Buffer.byteLength(env.JSON)).toBeGreaterThan(100_000);
  const port = await freePort();
  const flags = Object.entries(env).flatMap(([name, value]) => ['-e', `${name}=${value}`]);
  await unik.ok(['run', '-d', '--name', 'env', '-p', `${port}:8080`, '-m', '128', ...flags, 'app']);
  const back = JSON.parse(await fetchUntil200(`http://127.0.0.1:${port}/env`)) as Record<string, string>;
  expect(back).toMatchObject(env);
  expect(await unik.ok(['inspect', 'env'])).not.toContain('a=b==c=');
  await unik.ok(['rm', '-f', 'env']);
}, 120_000);

test('an app over its memory is told to be out of memory', async () => {
  const port = await freePort();
  await unik.ok(['run', '-d', '--name', 'hoarder', '-p', `${port}:8080`, '-m', '96', 'app']);
  await fetch(`http://127.0.0.1:${port}/fill`, { signal: AbortSignal.timeout(60_000) }).catch(() => undefined);
  const seen = await until('it ends', async () => {
    const now = await inspect('hoarder');
    return now.exit ? now : undefined;
  });
  expect(seen.exit).toMatchObject({ reason: 'oom', status: 137 });
  expect(seen.exit?.message).toMatch(/out of memory/i);
  await unik.ok(['rm', 'hoarder']);
}, 120_000);

describe('five machines', () => {
  const names = ['m0', 'm1', 'm2', 'm3', 'm4'];
  const ports: number[] = [];
  let other: Unik;
  beforeAll(async () => {
    other = await makeUnik();
    await other.ok(['build', join(root, 'samples/hello'), '-t', 'hello']);
    await other.ok(['run', '-d', '--name', 'theirs', '-m', '32', 'hello']);
    for (const name of names) {
      const port = await freePort();
      ports.push(port);
      await unik.ok(['run', '-d', '--name', name, '-p', `${port}:8080`, '-m', '32', 'hello']);
    }
  }, 240_000);
  afterAll(() => other.close(), 60_000);

  const allAnswer = async (): Promise<void> => {
    for (const port of ports) expect(await fetchUntil200(`http://127.0.0.1:${port}/`)).toContain('Hello');
  };
  const machines = (): Promise<number[]> => pids(unik.home, /qemu-system/);

  test.each<NodeJS.Signals>(['SIGKILL', 'SIGTERM'])(
    'run on when the daemon gets %s, and are taken back',
    async (signal) => {
      const before = (await machines()).sort();
      expect(before).toHaveLength(names.length);
      const [daemon = 0] = await pids(unik.home, / daemon( |$)/);
      process.kill(daemon, signal);
      await until('the daemon is gone', async () =>
        (await pids(unik.home, / daemon( |$)/)).length === 0 ? true : undefined,
      );
      await allAnswer();
      const rows = await unik.json<Seen[]>(['ps']);
      expect(rows.map((row) => `${row.name} ${row.status}`).sort()).toEqual(names.map((name) => `${name} running`));
      expect((await machines()).sort()).toEqual(before);
      expect((await unik(['logs', 'm0'])).stderr).toContain('Linux version');
    },
    120_000,
  );

  test('one whose QEMU is killed is over within a second, with a reason; others and other owners are not touched', async () => {
    const rows = await unik.json<{ name: string; key: string }[]>(['inspect', ...names]);
    const key = rows.find((row) => row.name === 'm4')?.key ?? '';
    const victim = Number.parseInt(
      (await processesOf(unik.home)).find((line) => line.includes(`guest=${key}`)) ?? '',
      10,
    );
    const struck = Date.now();
    process.kill(victim, 'SIGKILL');
    const { exit } = await until('it is over', async () => {
      const seen = await inspect('m4');
      return seen.exit ? seen : undefined;
    });
    expect(exit).toMatchObject({ reason: 'killed' });
    expect((exit?.at ?? Infinity) - struck).toBeLessThan(1_000);
    expect((await unik.json<Seen[]>(['ps'])).map((row) => row.name).sort()).toEqual(names.slice(0, 4));
    expect((await inspect('theirs', other)).status).toBe('running');
  }, 60_000);

  test('are gone without a trace after stop and rm', async () => {
    await unik.ok(['stop', ...names.slice(0, 4)]);
    await unik.ok(['rm', ...names]);
    expect(await machines()).toEqual([]);
    expect(await filesBelow(join(unik.home, 'machines'))).toEqual([]);
    expect(await filesBelow(join(unik.home, 'instances'))).toEqual([]);
    expect(await pids(other.home, /qemu-system/)).toHaveLength(1);
    for (const port of ports) await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow();
  }, 60_000);
});

test('a newer kernel serves old images; restart chooses among kernels of one abi', async () => {
  const [old] = await unik.json<{ id: string; version: string }[]>(['kernel', 'ls']);
  await unik.ok(['run', '-d', '--name', 'kept', '-m', '32', 'hello']);
  expect((await inspect('kept')).kernel).toBe(old?.id);
  const newer = newerKernel(join(unik.home, 'src/kernel'), old?.version ?? '');
  await unik.ok(['kernel', 'import', newer.dir]);
  await unik.ok(['restart', 'kept']);
  const renewed = await inspect('kept');
  expect(renewed.status).toBe('running');
  expect(renewed.kernel).toContain(newer.version);
  await unik.ok(['restart', '--kernel', old?.id ?? '', 'kept']);
  expect(await inspect('kept')).toMatchObject({ status: 'running', kernel: old?.id });
  await unik.ok(['rm', '-f', 'kept']);
}, 180_000);

/** The kernel that set-up unpacked, with a later version in its banner. */
function newerKernel(dir: string, version: string): { dir: string; version: string } {
  const store = join(root, '.assets/kernel');
  const [release = ''] = readdirSync(store);
  cpSync(join(store, release), dir, { recursive: true });
  const file = join(dir, 'boot', `vmlinuz-${release}`);
  const image = readFileSync(file);
  const later = version.replace(/\d$/, '9');
  const banner = image.indexOf(`Debian ${version} `);
  expect(banner).toBeGreaterThan(0);
  image.write(`Debian ${later} `, banner, 'latin1');
  writeFileSync(file, image);
  return { dir, version: later };
}
