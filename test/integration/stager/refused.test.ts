/** Applications that must be refused when they are staged, each with the right code and what to do about it. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent } from 'undici';
import { addHostFileAt } from '../../../executor/images/host-files.js';
import { ImageStore, type StoredImage } from '../../../executor/images/store.js';
import { transfer } from '../../../stager/actions/transfer.js';
import { unpack } from '../../../stager/actions/unpack.js';
import { buildImage } from '../../../stager/build.js';
import { RootTree } from '../../../executor/images/tree.js';
import { judge, refusalOf } from '../../../stager/suitability/judge.js';
import { readPrograms } from '../../../stager/suitability/read.js';
import { failure } from '../../support/failure.js';
import { compiled, forArm, withoutLibrary } from '../../support/programs.js';
import { writeZip } from '../../support/zip.js';

let work: string;
let count = 0;
beforeAll(() => {
  work = fs.mkdtempSync(join(tmpdir(), 'unik-refused-'));
});
afterAll(() => fs.rmSync(work, { recursive: true, force: true }));

function appOf(files: Readonly<Record<string, string | Buffer>>): string {
  const dir = join(work, `app-${count++}`);
  for (const [path, content] of Object.entries(files)) {
    fs.mkdirSync(join(dir, path, '..'), { recursive: true });
    fs.writeFileSync(join(dir, path), content, { mode: typeof content === 'string' ? 0o644 : 0o755 });
  }
  return dir;
}

function stage(source: string): Promise<StoredImage> {
  const store = new ImageStore(join(work, 'images'));
  return buildImage({ source, store, work, progress: () => undefined, env: process.env, cloudFoundry: true });
}

async function jar(manifest: string): Promise<Buffer> {
  const file = join(work, `${count++}.jar`);
  await writeZip(file, [{ name: 'META-INF/MANIFEST.MF', content: manifest }]);
  return fs.readFileSync(file);
}

const hasJava = fs.existsSync('/usr/bin/java');

describe('refused at staging', () => {
  test.each<[why: string, app: () => Promise<string> | string, code: string, named: RegExp, remedy: RegExp]>([
    [
      'a shell pipeline as start command',
      () => appOf({ Procfile: 'web: node a.js | tee log\n', 'a.js': '1' }),
      'command_needs_shell',
      /"\|"/,
      /without pipes/,
    ],
    [
      'npm start that runs two programs',
      () => appOf({ 'package.json': '{"scripts":{"start":"node a.js & node b.js"}}', 'a.js': '1', 'b.js': '1' }),
      'command_needs_shell',
      /"&"/,
      /runs one program/,
    ],
    [
      'npm start that runs two programs through another',
      () =>
        appOf({
          'package.json': '{"scripts":{"start":"concurrently a b"}}',
          'node_modules/.bin/concurrently': '#!/usr/bin/env node\n',
        }),
      'several_programs',
      /concurrently/,
      /one line of the Procfile each/,
    ],
    ['a library missing', () => appOf({ server: withoutLibrary() }), 'library_missing', /libgone\.so/, /Install/],
    ['an ARM program', () => appOf({ server: forArm() }), 'arch_mismatch', /aarch64/, /architecture of the machine/],
    [
      'a Procfile without web',
      () => appOf({ Procfile: 'worker: node a.js\n', 'a.js': '1' }),
      'web_missing',
      /worker/,
      /`web: PROGRAM ARGS`/,
    ],
    [
      'no start command',
      () => appOf({ 'requirements.txt': '# none\n', 'lib.py': 'pass\n' }),
      'command_missing',
      /how to start/,
      /Procfile/,
    ],
    ['0 bytes in all', () => appOf({ 'server.js': '' }), 'source_empty', /0 bytes/, /Put the application/],
    ['no file', () => appOf({ '.git/x': 'x' }), 'source_empty', /no files/, /Put the application/],
    [
      'a profile script that depends on the instance',
      () => appOf({ 'server.js': '1', '.profile.d/a.sh': 'export LISTEN=$PORT\n' }),
      'profile_unsuitable',
      /LISTEN/,
      /no shell in the machine/,
    ],
  ])('%s', async (_why, app, code, named, remedy) => {
    const source = await app();
    const refusal = await failure(() => stage(source));
    expect(refusal.code).toBe(code);
    expect(refusal.message).toMatch(named);
    expect(refusal.hint).toMatch(remedy);
  });

  (hasJava ? test : test.skip)('a jar without a main class', async () => {
    const refusal = await failure(async () => stage(appOf({ 'a.jar': await jar('Manifest-Version: 1.0\n') })));
    expect(refusal.code).toBe('main_class_missing');
    expect(refusal.message).toContain('a.jar');
    expect(refusal.hint).toMatch(/Main-Class/);
  });

  test('gunicorn with workers, on a library OS', () => {
    const found = judge({
      guest: 'unikraft',
      commands: { web: 'gunicorn -w 4 app:app' },
      processes: {
        web: { argv: ['/usr/bin/python3', '/home/vcap/app/.python_packages/bin/gunicorn', '-w', '4', 'app:app'] },
      },
      programs: [],
      setuid: [],
      packages: [],
      hasShell: false,
      needsWeb: true,
    });
    expect(refusalOf(found)?.code).toBe('fork_unsupported');
    expect(found[0]?.remedy).toMatch(/waitress/);
  });

  test.each<[why: string, name: string, code: string, said: RegExp, remedy: RegExp]>([
    ['a zip with ../ entries', '../x', 'archive_invalid', /invalid relative path|leaves the folder/, /stay inside/],
    ['a zip bomb', 'x', 'archive_too_large', /larger than allowed/, /disk limit/],
  ])('%s', async (_why, name, code, said, remedy) => {
    const file = join(work, `${count++}.zip`);
    await writeZip(file, [{ name, content: Buffer.alloc(2_000_000) }]);
    const into = fs.mkdtempSync(join(work, 'into-'));
    const refusal = await failure(() =>
      unpack(file, into, { max_bytes: 1_000_000, max_entries: 9 }, AbortSignal.timeout(10_000)),
    );
    expect(refusal.code).toBe(code);
    expect(refusal.message).toMatch(said);
    expect(refusal.hint).toMatch(remedy);
  });

  test('bits whose checksum differs', async () => {
    const server = createServer((_asked, reply) => reply.end('other bits'));
    const url = await listening(server);
    const dispatcher = new Agent();
    try {
      const checksum = { algorithm: 'sha256' as const, value: createHash('sha256').update('bits').digest('hex') };
      const to = join(work, 'bits');
      const options = { dispatcher, max_bytes: 1000, checksum };
      const refusal = await failure(() => transfer(`${url}/app.zip`, to, options, AbortSignal.timeout(10_000)));
      expect(refusal.code).toBe('download_failed');
      expect(refusal.message).toMatch(/its sha256 checksum is/);
      expect(refusal.hint).toMatch(/checksum/);
      expect(fs.existsSync(to)).toBe(false);
    } finally {
      await dispatcher.destroy();
      server.close();
    }
  });
});

describe('what is only noted', () => {
  test('a program that can run a shell, and setuid', async () => {
    const program = compiled('#include <stdlib.h>\nint main(void) { return system("ls"); }');
    const dir = appOf({ server: program });
    fs.chmodSync(join(dir, 'server'), 0o4755);
    const { findings } = await stage(dir);
    expect(findings.map(({ level, code, file, symbol }) => ({ level, code, file, symbol }))).toEqual([
      { level: 'warning', code: 'uses_shell', file: '/home/vcap/app/server', symbol: 'system' },
      { level: 'warning', code: 'setuid_dropped', file: '/home/vcap/app/server', symbol: undefined },
    ]);
  });

  test.each([
    ['named by a dynamic program', [], ['clone']],
    ['part of a static program', ['-static', '-pthread'], []],
  ])('clone, where it is %s', (_why, options, calls) => {
    const source = `#define _GNU_SOURCE
      #include <pthread.h>
      #include <sched.h>
      void *run(void *none) { return none; }
      int main(int n, char **v) { pthread_t t; pthread_create(&t, 0, run, 0); return ${calls.length ? 'clone((int (*)(void *))v, v, n, 0)' : '0'}; }`;
    const tree = new RootTree();
    const path = join(work, `clone-${count++}`);
    fs.writeFileSync(path, compiled(source, ...options), { mode: 0o755 });
    addHostFileAt(tree, path, '/home/vcap/app/server');
    const [server] = readPrograms(tree, '/home/vcap/app', []).programs;
    expect(server?.calls.filter((name) => name === 'clone')).toEqual(calls);
    expect(server?.calls).toContain('pthread_create');
  });

  test('a profile script that gives the same everywhere becomes environment', async () => {
    const { env } = await stage(
      appOf({
        'server.js': '1',
        '.profile.d/a.sh': 'export GREETING="a b" WHERE=$HOME/data\n',
        '.profile': 'export LAST=$GREETING\n',
      }),
    );
    expect(env).toMatchObject({ GREETING: 'a b', WHERE: '/home/vcap/app/data', LAST: 'a b', HOME: '/home/vcap/app' });
  });
});

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
