/**
 * Staging where there is nothing: an ordinary user, a root with bash, coreutils and tar, no network. The package with a
 * runtime brings the rest, and what it makes boots.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import * as fs from 'node:fs';
import { createReadStream, createWriteStream } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unpackDroplet } from '../../../executor/images/droplet.js';
import { ImageStore } from '../../../executor/images/store.js';
import { packTar } from '../../../stager/pack-tar.js';
import { bareRoot } from '../../support/bare-root.js';
import { buildpackIn, stagingFolders } from '../../support/buildpack.js';
import { APPS, EXPECTED } from '../../support/fixture-apps.js';
import { fetchUntil200, freePort, makeUnik, processesOf, type Unik } from '../../support/unik.js';

const USER = 2000;

describe('the buildpack with a runtime, in a bare root', () => {
  let unik: Unik;
  let work: string;
  beforeAll(async () => {
    unik = await makeUnik();
    // Not below the home, which its daemon closes to others.
    work = fs.mkdtempSync(join(tmpdir(), 'unik-bare-'));
    fs.chmodSync(work, 0o755);
    await buildpackIn(work, ['--with-runtime']);
    bareRoot(join(work, 'root'));
  }, 240_000);
  afterAll(async () => {
    await unik.close();
    fs.rmSync(work, { recursive: true, force: true });
    expect(await processesOf(unik.home)).toEqual([]);
  }, 60_000);

  test.each(['node-bare', 'static'] as const)(
    '%s is staged, and its droplet boots',
    async (kind) => {
      const dir = join(work, kind);
      const { deps } = stagingFolders(dir, join(APPS, kind));
      const script =
        'command -v node qemu-system-x86_64; /buildpack/bin/supply /tmp/app /tmp/cache /tmp/deps 0 && ' +
        '/buildpack/bin/finalize /tmp/app /tmp/cache /tmp/deps 0';
      const staged = await inside(
        join(work, 'root'),
        { '/tmp': dir },
        { '/buildpack': join(work, 'buildpack') },
        script,
      );
      expect(staged).toMatchObject({ code: 0, output: expect.stringMatching(/^-----> UniK buildpack/) });
      expect(staged.output).toMatch(/-----> Image sha256:/);

      const file = join(dir, 'droplet');
      await packTar([{ name: './deps', dir: deps }], createWriteStream(file), { quick: true });
      const store = new ImageStore(join(unik.home, 'images'));
      const { digest } = await unpackDroplet(createReadStream(file), store);
      const port = await freePort();
      await unik.ok(['run', '-d', '--name', kind, '-p', `${port}:8080`, '-m', '128m', digest]);
      expect(await fetchUntil200(`http://127.0.0.1:${port}/`, 120_000)).toBe(EXPECTED[kind].body);
      await unik.ok(['rm', '-f', kind]);
    },
    300_000,
  );
});

/** Runs a script of bash in a root of its own, as an ordinary user without network. */
async function inside(
  root: string,
  writable: Record<string, string>,
  readable: Record<string, string>,
  script: string,
): Promise<{ code: number; output: string }> {
  for (const [place, dir] of [...Object.entries(writable), ...Object.entries(readable)]) {
    fs.mkdirSync(join(root, place), { recursive: true });
    if (process.getuid?.() === 0 && place in writable) await execa('chown', ['-R', `${USER}:${USER}`, dir]);
  }
  const mounts = [
    ...Object.entries(writable).flatMap(([place, dir]) => ['--bind', dir, place]),
    ...Object.entries(readable).flatMap(([place, dir]) => ['--ro-bind', dir, place]),
  ];
  const bubble = [
    'bwrap',
    '--unshare-all',
    '--die-with-parent',
    '--ro-bind',
    root,
    '/',
    '--proc',
    '/proc',
    '--dev',
    '/dev',
  ];
  const env = [
    '--clearenv',
    '--setenv',
    'PATH',
    '/usr/bin:/bin',
    '--setenv',
    'CF_STACK',
    'unik',
    '--setenv',
    'HOME',
    '/tmp',
  ];
  const user = ['setpriv', `--reuid=${USER}`, `--regid=${USER}`, '--clear-groups'];
  const [file = '', ...args] = [
    ...(process.getuid?.() === 0 ? user : []),
    ...bubble,
    ...mounts,
    ...env,
    ...['bash', '-c', script],
  ];
  const done = await execa(file, args, { all: true, reject: false, stdin: 'ignore', timeout: 240_000 });
  return { code: done.exitCode ?? -1, output: done.all };
}
