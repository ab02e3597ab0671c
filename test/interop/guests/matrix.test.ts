/** Every guest with every application, from `unik build` to an answer, on the kernels of UNIK_TEST_KERNELS. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withMovableNode } from '../../support/debian-node.js';
import { guestPrograms, ENV_FILE, intact, MEMORY, type GuestApp } from '../../support/guest-programs.js';
import { scratch } from '../../support/guests.js';
import { kernelsOf, KERNELS } from '../../support/test-kernels.js';
import { fetchUntil200, freePort, makeUnik, root, until, type Unik } from '../../support/unik.js';

const ALL = ['c', 'go', 'node', 'python', 'static'] as const satisfies readonly GuestApp[];
const GUESTS: Record<string, readonly GuestApp[]> = {
  linux: ALL,
  unikraft: ALL,
  nanos: ALL,
  osv: ['c'],
};
/** Where the end of a program is seen, but not what it ended with. */
const WITHOUT_STATUS = ['osv'];

const suite = KERNELS === undefined ? describe.skip : describe;

suite('guests on real kernels', () => {
  let unik: Unik;
  let folder: Awaited<ReturnType<typeof scratch>>;
  let sources: Record<GuestApp, string>;
  const rows: string[] = [];

  beforeAll(async () => {
    await execa('node', ['scripts/build.mjs'], { cwd: root });
    folder = await scratch();
    unik = await makeUnik({ prefix: await withMovableNode(join(folder.dir, 'nodejs')) });
    sources = await guestPrograms(folder.dir);
    await writeFile(join(folder.dir, 'env'), ENV_FILE);
  }, 600_000);
  afterAll(async () => {
    console.log(['guest     app      to 200 s  image bytes  machine MB', ...rows].join('\n'));
    await unik.close();
    await folder.remove();
  }, 60_000);

  test('every kernel is imported, verified, and its limits are found', async () => {
    for (const guest of ['unikraft', 'nanos', 'osv']) {
      for (const path of kernelsOf(guest)) {
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
    const has = guest === 'linux' || kernelsOf(guest).length > 0;
    (has ? describe : describe.skip)(guest, () => {
      test.each(apps)(
        '%s: everything reaches it, its lines are its own, a stop, an end and a crash are told as such',
        async (app) => {
          const name = `${guest}-${app}`;
          await unik.ok(['build', sources[app], '-t', name, '--guest', guest], { timeout_ms: 300_000 });
          const port = await freePort();
          const started = performance.now();
          const order = ['--name', name, '-p', `${port}:8080`, '-m', String(MEMORY[app])];
          await unik.ok(['run', '-d', ...order, '--env-file', join(folder.dir, 'env'), name]);
          const body = await fetchUntil200(`http://127.0.0.1:${port}/`);
          const seconds = ((performance.now() - started) / 1_000).toFixed(2);
          const image = await unik.json<{ bytes: number; names: string[] }[]>(['images']);
          const bytes = image.find(({ names }) => names.includes(`${name}:latest`))?.bytes ?? 0;
          rows.push(
            [guest.padEnd(9), app.padEnd(8), seconds.padStart(8), String(bytes).padStart(12)].join(' ') +
              String(MEMORY[app]).padStart(12),
          );
          if (app === 'static') expect(body).toMatch(/static says hello/);
          else await checkLife(guest, name, { body, port });
          await unik.ok(['stop', '-t', '2', name]);
          expect(await statusOf(name)).toMatch(/exited/i);
          await unik.ok(['rm', '-f', name]);
        },
        400_000,
      );
    });
  }

  /** Nothing was lost on the way in, and each end is known for what it is. */
  async function checkLife(guest: string, name: string, { body, port }: { body: string; port: number }): Promise<void> {
    expect(body).toBe(intact());
    const { stdout, stderr } = await unik(['logs', name]);
    const OURS = / listens, 1 arguments$|^a word to stderr$/;
    const lines = stdout.trim().split('\n');
    expect(lines.filter((line) => !OURS.test(line))).toEqual([]);
    // The kernel's lines, and with them the application's of its standard error where the guest keeps that apart.
    const others = stderr.trim().split('\n');
    expect([...lines, ...others].filter((line) => OURS.test(line))).toHaveLength(2);
    expect(others.some((line) => !OURS.test(line) && line !== '')).toBe(true);

    const url = `http://127.0.0.1:${port}`;
    await fetch(`${url}/exit`).catch(() => undefined);
    const status = WITHOUT_STATUS.includes(guest) ? {} : { status: 7 };
    expect(await ended(name)).toMatchObject({ reason: 'exited', ...status });

    await unik.ok(['start', name]);
    await fetchUntil200(`${url}/`);
    await fetch(`${url}/crash`, { signal: AbortSignal.timeout(10_000) }).catch(() => undefined);
    const exit = await ended(name);
    // A Go program ends itself by its own status after it has told where.
    expect(exit.message).toMatch(name.endsWith('-go') ? /crash|signal|SIG|status 2/ : /crash|abort|signal|SIG/i);

    await unik.ok(['start', name]);
    await fetchUntil200(`${url}/`);
  }

  async function statusOf(name: string): Promise<string | undefined> {
    const all = await unik.json<{ name: string; status: string }[]>(['ps', '-a']);
    return all.find((one) => one.name === name)?.status;
  }

  async function ended(name: string): Promise<{ reason: string; message: string }> {
    return until(`${name} has ended`, async () => {
      type Seen = { phase?: string; exit?: { reason: string; message: string } };
      const [{ exit, phase } = {}] = await unik.json<Seen[]>(['inspect', name]);
      return exit && phase !== 'running' ? exit : undefined;
    });
  }
});
