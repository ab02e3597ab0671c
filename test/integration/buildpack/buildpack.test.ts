/** The buildpack as it ships: a zip, unpacked, its programs run as Cloud Foundry's lifecycle runs them. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VERSION } from '../../../core/version.js';
import type { Image } from '../../../executor/images/image.js';
import { buildpackIn, packageBuildpack, runProgram, stagingFolders, type Ended } from '../../support/buildpack.js';
import { APPS } from '../../support/fixture-apps.js';

let work: string;
let buildpack: string;
let count = 0;
beforeAll(async () => {
  work = fs.mkdtempSync(join(tmpdir(), 'unik-buildpack-'));
  buildpack = await buildpackIn(work);
}, 60_000);
afterAll(() => fs.rmSync(work, { recursive: true, force: true }));

const UNIK = { CF_STACK: 'unik' };
const step = (name: string, args: string[], env: Record<string, string> = UNIK): Promise<Ended> =>
  runProgram(join(buildpack, 'bin', name), args, env);

/** Supply and finalize as the only, or last, buildpack. */
async function stage(
  app: string,
  options: { env?: Record<string, string>; index?: string; prepare?: (deps: string) => void; cache?: string } = {},
): Promise<Ended & { build: string; deps: string; own: string; cache: string }> {
  const folders = stagingFolders(join(work, `staging-${count++}`), app);
  const { index = '0' } = options;
  const cache = options.cache ?? folders.cache;
  options.prepare?.(folders.deps);
  const env = { ...UNIK, ...options.env };
  const supplied = await step('supply', [folders.build, cache, folders.deps, index], env);
  if (supplied.code !== 0) return { ...supplied, ...folders, cache, own: join(folders.deps, index) };
  const ended = await step('finalize', [folders.build, cache, folders.deps, index], env);
  return { ...ended, ...folders, cache, own: join(folders.deps, index) };
}

const imageIn = (own: string): Image =>
  JSON.parse(fs.readFileSync(join(own, 'unik/image/image.json'), 'utf8')) as Image;

function appOf(files: Readonly<Record<string, string>>): string {
  const dir = join(work, `app-${count++}`);
  for (const [path, text] of Object.entries(files)) {
    fs.mkdirSync(join(dir, path, '..'), { recursive: true });
    fs.writeFileSync(join(dir, path), text, { mode: text.startsWith('#!') ? 0o755 : 0o644 });
  }
  return dir;
}

describe('the package', () => {
  test('holds a handful of files, no node_modules, and is the same each time', async () => {
    const [one, two] = [await packageBuildpack(work, 'one.zip'), await packageBuildpack(work, 'two.zip')];
    expect(fs.readFileSync(one).equals(fs.readFileSync(two))).toBe(true);
    const names = fs.readdirSync(buildpack, { recursive: true, encoding: 'utf8' });
    expect(names.filter((name) => name.includes('node_modules'))).toEqual([]);
    expect(names).toEqual(
      expect.arrayContaining(['manifest.yml', 'bin/detect', 'bin/supply', 'bin/finalize', 'bin/release']),
    );
    expect(names.length).toBeLessThan(20);
    expect(fs.readFileSync(join(buildpack, 'manifest.yml'), 'utf8')).not.toMatch(/^stack/m);
  });
});

describe('detect', () => {
  const YES = { code: 0, stdout: expect.stringMatching(/^unik \d+\.\d+\.\d+\n$/) };
  const detect = async (app: string, env: Record<string, string>): Promise<Pick<Ended, 'code' | 'stdout'>> => {
    const { code, stdout } = await step('detect', [app], env);
    return { code, stdout };
  };

  test.each(['unik', 'unik-aws'])('takes the stack %s', async (stack) => {
    expect(await detect(join(APPS, 'procfile'), { CF_STACK: stack })).toEqual(YES);
  });

  test('takes what it will refuse with a reason, and what it is asked for', async () => {
    expect(await detect(appOf({ Procfile: 'web node' }), UNIK)).toEqual(YES);
    expect(await detect(appOf({ 'notes.txt': 'x' }), { ...UNIK, UNIK_GUEST: 'nanos' })).toEqual(YES);
  });

  test('leaves to others what it knows nothing of, and says so', async () => {
    const { code, stdout, output } = await step('detect', [appOf({ 'notes.txt': 'x' })], UNIK);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(output).toContain('nothing in the folder says how to run it (it holds notes.txt)');
  });

  test.each(['cflinuxfs4', 'windows', 'unikernel', ''])('declines the stack %j, without Node.js', async (stack) => {
    const { code, stdout } = await step('detect', [work], { CF_STACK: stack, UNIK_NODE: '/nonexistent' });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  });
});

describe('finalize', () => {
  test('leaves image, launch metadata and a release, and tells what it did', async () => {
    const { code, output, build, own } = await stage(join(APPS, 'procfile'));
    expect({ code, output }).toMatchObject({ code: 0 });
    const image = imageIn(own);
    expect(image.processes['web']?.argv[0]).toBe('/usr/local/bin/node');
    expect(image.labels['command.worker']).toBe('node bin/worker.mjs');
    expect(fs.statSync(join(own, 'unik/image', image.root.file)).size).toBe(image.root.bytes);
    expect(fs.readdirSync(join(own, 'unik'))).toEqual(['image']);
    expect(output).toMatch(/^-----> UniK buildpack \d/);
    expect(output).toMatch(/^ {7}Guest linux: smallest first of those with a kernel here: linux$/m);
    expect(output).toMatch(/^-----> Application: node, by Procfile: node$/m);
    expect(output).toMatch(/^ {7}Process web: /m);
    expect(output).toContain(`-----> Image ${image.digest.slice(0, 19)}`);
    expect(output).toMatch(/Left out: app\//);
    // The application is in the image, and only there.
    expect(fs.readdirSync(build)).toEqual(['tmp']);

    const release = await step('release', [build]);
    expect(release).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^---\ndefault_process_types:\n {2}"web": "/),
    });
    // As the application wrote it.
    expect(fs.readFileSync(join(own, 'launch.yml'), 'utf8')).toMatch(
      /- type: "worker"\n {2}command: "node bin\/worker.mjs"\n/,
    );
    const config = fs.readFileSync(join(own, 'config.yml'), 'utf8');
    expect(config).toMatch(/^name: unik$/m);
    const made = `linux.${image.digest.slice('sha256:'.length, 19)}.${image.root.bytes}`;
    expect(config).toContain(`version: "${VERSION}+${made}"`);
  }, 60_000);

  test('the same bits staged twice, with the cache and without, are the same image', async () => {
    const first = await stage(join(APPS, 'static'));
    const cached = await stage(join(APPS, 'static'), { cache: first.cache });
    const fresh = await stage(join(APPS, 'static'));
    const digests = [first, cached, fresh].map(({ own }) => imageIn(own).digest);
    expect(new Set(digests).size).toBe(1);
  }, 60_000);

  test('UNIK_KEEP_APP keeps the files beside the image, but no Procfile that would be read again', async () => {
    const { build, output } = await stage(join(APPS, 'procfile'), { env: { UNIK_KEEP_APP: '1' } });
    expect(fs.readdirSync(build).sort()).toEqual(['bin', 'tmp']);
    expect(output).toMatch(/Kept: app\//);
  }, 60_000);

  test('as the last after a buildpack that supplied Node.js: its program is the one that runs, and lies there once', async () => {
    const supplyNode = (deps: string): void => {
      for (const folder of ['0/node/bin', '0/bin', '0/lib', '0/profile.d', '0/env'])
        fs.mkdirSync(join(deps, folder), { recursive: true });
      fs.copyFileSync(process.execPath, join(deps, '0/node/bin/node'));
      fs.chmodSync(join(deps, '0/node/bin/node'), 0o755);
      fs.symlinkSync('../node/bin/node', join(deps, '0/bin/node'));
      fs.symlinkSync(join(deps, '0/node'), join(deps, '0/lib/home'));
      fs.writeFileSync(join(deps, '0/config.yml'), 'name: nodejs\n');
      fs.writeFileSync(join(deps, '0/profile.d/node.sh'), 'export NODE_HOME="$DEPS_DIR/0/node" MEMORY=$MEMORY_LIMIT\n');
    };
    const one = await stage(join(APPS, 'node-bare'), { index: '1', prepare: supplyNode });
    expect({ code: one.code, output: one.output }).toMatchObject({ code: 0 });
    const image = imageIn(one.own);
    expect(image.processes['web']?.argv[0]).toBe('/home/vcap/deps/0/node/bin/node');
    expect(image.env).toMatchObject({
      PATH: expect.stringMatching(/^\/home\/vcap\/deps\/0\/bin:/),
      LD_LIBRARY_PATH: '/home/vcap/deps/0/lib',
      NODE_HOME: '/home/vcap/deps/0/node',
    });
    expect(image.findings).toMatchObject([{ level: 'warning', code: 'profile_unsuitable', symbol: 'MEMORY' }]);
    expect(one.output).toMatch(/Supplied by buildpacks before: deps\/0/);
    expect(fs.readdirSync(join(one.deps, '0'))).toEqual(['config.yml']);

    const root = join(work, 'supplied-root');
    execFileSync('fsck.erofs', [`--extract=${root}`, join(one.own, 'unik/image', image.root.file)], { stdio: 'pipe' });
    expect(fs.readlinkSync(join(root, 'home/vcap/deps/0/lib/home'))).toBe('/home/vcap/deps/0/node');
    expect(fs.existsSync(join(root, 'usr/local/bin/node'))).toBe(false);
    expect(JSON.stringify(image)).not.toContain(work);

    const again = await stage(join(APPS, 'node-bare'), { index: '1', prepare: supplyNode });
    expect(imageIn(again.own).digest).toBe(image.digest);
  }, 120_000);

  test.each<[why: string, files: Record<string, string>, env: Record<string, string>, code: string, remedy: RegExp]>([
    [
      'a shell pipeline',
      { Procfile: 'web: node a | b\n', 'a.js': '1' },
      {},
      'command_needs_shell',
      /fix: A unikernel runs one program/,
    ],
    ['no web', { Procfile: 'worker: node a.js\n', 'a.js': '1' }, {}, 'web_missing', /fix: Add a line `web:/],
    [
      'a guest that is not offered',
      { 'server.js': '1' },
      { UNIK_GUEST: 'unikraft' },
      'guest_unsupported',
      /kernels for: linux/,
    ],
    ['a stack of containers', { 'server.js': '1' }, { CF_STACK: 'cflinuxfs4' }, 'stack_unsuitable', /-s unik/],
    ['an unknown language', { 'notes.txt': 'x' }, {}, 'language_unknown', /fix: Add index\.html/],
  ])('%s ends with exit status 1, the code and the remedy', async (_why, files, env, code, remedy) => {
    const app = appOf(files);
    const ended = await stage(app, { env });
    expect(ended.code).toBe(1);
    expect(ended.output).toContain(`(${code})`);
    expect(ended.output).toMatch(remedy);
    expect(ended.output).not.toMatch(/\n\s+at /);
    expect(fs.existsSync(join(ended.own, 'unik/image'))).toBe(false);
  });
});

test('without Node.js the buildpack says so', async () => {
  const bin = join(work, 'few-programs');
  fs.mkdirSync(bin);
  for (const name of ['sh', 'dirname', 'cat']) fs.symlinkSync(join('/usr/bin', name), join(bin, name));
  const { code, output } = await runProgram(join(buildpack, 'bin/supply'), ['a', 'b', 'c', '0'], { PATH: bin });
  expect(code).toBe(1);
  expect(output).toMatch(/no Node\.js.*--with-runtime/);
});
