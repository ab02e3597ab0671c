/** Every guest with every application, from `unik build` to an answer, on the kernels of UNIK_TEST_KERNELS. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { scratch } from '../../support/guests.js';
import { fetchUntil200, freePort, makeUnik, root, until, type Unik } from '../../support/unik.js';

const KERNELS = process.env['UNIK_TEST_KERNELS'];
const APPS = join(root, 'test/fixtures/apps');
/** Memory of each application, MB. */
const MEMORY = { c: 32, go: 64, node: 256, python: 96, static: 32 } as const;
type App = keyof typeof MEMORY;
const ANSWERS: Record<App, RegExp> = {
  c: /^\d+ \d+ \d+\n$/,
  go: /go says hello/,
  node: /node-bare says hello/,
  python: /python says/,
  static: /static says hello/,
};
const GUESTS: Record<string, readonly App[]> = {
  linux: ['c', 'go', 'node', 'python', 'static'],
  unikraft: ['c', 'go', 'node', 'python', 'static'],
  nanos: ['c', 'go', 'node', 'python', 'static'],
  osv: ['c'],
};

const present = (guest: string): string[] => {
  const dir = join(KERNELS ?? '', guest);
  return KERNELS !== undefined && existsSync(dir) ? readdirSync(dir).map((name) => join(dir, name)) : [];
};

if (KERNELS === undefined)
  console.warn('skipped: UNIK_TEST_KERNELS names no folder with kernels of library operating systems');
const suite = KERNELS === undefined ? describe.skip : describe;

suite('guests on real kernels', () => {
  let unik: Unik;
  let folder: Awaited<ReturnType<typeof scratch>>;
  const rows: string[] = [];

  beforeAll(async () => {
    await execa('node', ['scripts/build.mjs'], { cwd: root });
    unik = await makeUnik();
    folder = await scratch();
    for (const name of ['c', 'go']) await mkdir(join(folder.dir, name));
    await execa('gcc', [
      '-O1',
      '-fPIE',
      '-pie',
      '-o',
      join(folder.dir, 'c/server'),
      join(root, 'test/fixtures/guests/env-server.c'),
    ]);
    await execa('go', ['build', '-buildmode=pie', '-o', join(folder.dir, 'go/server'), '.'], {
      cwd: join(APPS, 'go'),
      env: { CGO_ENABLED: '0' },
    });
    const services = JSON.stringify({ db: [{ credentials: { password: 'p"w=1, \n🎉'.repeat(1_500) } }] });
    const lines = Array.from({ length: 200 }, (_, i) => `TEST_${i}=value-${i}`);
    await writeFile(join(folder.dir, 'env'), [...lines, `VCAP_SERVICES=${services}`, ''].join('\n'));
  }, 600_000);
  afterAll(async () => {
    console.log(['guest     app      to 200 s  image bytes  machine MB', ...rows].join('\n'));
    await unik.close();
    await folder.remove();
  }, 60_000);

  const sourceOf = (app: App): string =>
    app === 'c' || app === 'go' ? join(folder.dir, app) : join(APPS, app === 'node' ? 'node-bare' : app);

  test('every kernel is imported, verified, and its limits are found', async () => {
    for (const guest of ['unikraft', 'nanos', 'osv']) {
      for (const path of present(guest)) {
        const id = (await unik.ok(['kernel', 'import', path, '--guest', guest])).trim();
        const { limits } = await unik.json<{ limits: { boots: boolean; variables?: { count: number } } }>([
          'kernel',
          'verify',
          id,
        ]);
        const { digest } = JSON.parse(await unik.ok(['kernel', 'inspect', id])) as { digest: string };
        rows.push(`# ${guest} ${digest} ${JSON.stringify(limits)}`);
        expect(limits.boots).toBe(true);
        if (path.includes('stock')) expect(limits.variables?.count).toBe(8);
      }
    }
  }, 300_000);

  for (const [guest, apps] of Object.entries(GUESTS)) {
    const has = guest === 'linux' || present(guest).length > 0;
    (has ? describe : describe.skip)(guest, () => {
      test.each(apps)(
        '%s',
        async (app) => {
          const name = `${guest}-${app}`;
          await unik.ok(['build', sourceOf(app), '-t', name, '--guest', guest]);
          const port = await freePort();
          const started = performance.now();
          const env = app === 'c' ? ['--env-file', join(folder.dir, 'env')] : [];
          await unik.ok(['run', '-d', '--name', name, '-p', `${port}:8080`, '-m', String(MEMORY[app]), ...env, name]);
          const body = await fetchUntil200(`http://127.0.0.1:${port}/`);
          const seconds = ((performance.now() - started) / 1_000).toFixed(2);
          expect(body).toMatch(ANSWERS[app]);
          const image = await unik.json<{ bytes: number; names: string[] }[]>(['images']);
          const bytes = image.find(({ names }) => names.includes(`${name}:latest`))?.bytes ?? 0;
          rows.push(
            [
              guest.padEnd(9),
              app.padEnd(8),
              seconds.padStart(8),
              String(bytes).padStart(12),
              String(MEMORY[app]).padStart(11),
            ].join(' '),
          );
          if (app === 'c') await checkC(name, body, port);
          await unik.ok(['rm', '-f', name]);
        },
        300_000,
      );
    });
  }

  /** Nothing was lost on the way in; a stop is a stop, an end an end, and a crash a crash. */
  async function checkC(name: string, body: string, port: number): Promise<void> {
    const services = JSON.stringify({ db: [{ credentials: { password: 'p"w=1, \n🎉'.repeat(1_500) } }] });
    const sum = [...Buffer.from(services)].reduce((total, byte) => (Math.imul(total, 31) + byte) >>> 0, 0);
    expect(body).toBe(`200 ${Buffer.byteLength(services)} ${sum}\n`);
    const lines = await unik.ok(['logs', name]);
    expect(lines).toMatch(/listens, 1 arguments/);
    await unik.ok(['stop', '-t', '2', name]);
    expect(
      (await unik.json<{ name: string; status: string }[]>(['ps', '-a'])).find((one) => one.name === name)?.status,
    ).toMatch(/exited/i);

    await unik.ok(['start', name]);
    await fetchUntil200(`http://127.0.0.1:${port}/`);
    await fetch(`http://127.0.0.1:${port}/exit`).catch(() => undefined);
    expect(await ended(name)).toMatchObject({ reason: 'exited', ...(name.startsWith('osv') ? {} : { status: 7 }) });

    await unik.ok(['start', name]);
    await fetchUntil200(`http://127.0.0.1:${port}/`);
    await fetch(`http://127.0.0.1:${port}/crash`, { signal: AbortSignal.timeout(10_000) }).catch(() => undefined);
    const exit = await ended(name);
    expect(exit.message).toMatch(/crash|signal|SIGSEGV|page fault/i);
  }

  async function ended(name: string): Promise<{ reason: string; message: string }> {
    return until(`${name} has ended`, async () => {
      type Seen = { phase?: string; exit?: { reason: string; message: string } };
      const [{ exit, phase } = {}] = await unik.json<Seen[]>(['inspect', name]);
      return exit && phase !== 'running' ? exit : undefined;
    });
  }

  const solo5 = present('solo5').filter((path) => path.endsWith('test_hello.virtio'));
  (solo5.length > 0 ? test : test.skip)(
    'solo5: its own test says hello and ends with 0',
    async () => {
      await unik.ok(['build', solo5[0] ?? '', '-t', 'solo5-hello', '--guest', 'solo5']);
      await unik(['run', '--name', 'solo5-hello', '--no-healthcheck', 'solo5-hello', 'kernel', 'Hello_Solo5']);
      const lines = await unik.ok(['logs', 'solo5-hello']);
      expect(lines).toContain("Command line is: 'Hello_Solo5'");
      expect(lines).toContain('SUCCESS');
      expect(await ended('solo5-hello')).toMatchObject({ reason: 'exited', status: 0 });
    },
    60_000,
  );
});
