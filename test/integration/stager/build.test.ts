import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readElf } from '../../../executor/images/elf.js';
import { ImageStore, type StoredImage } from '../../../executor/images/store.js';
import { buildImage, type BuildOptions } from '../../../stager/build.js';
import { failure } from '../../support/failure.js';
import { buildBinary, fixtureApp, type FixtureApp } from '../../support/fixture-apps.js';

let work: string;
let store: ImageStore;
beforeAll(() => {
  work = fs.mkdtempSync(join(tmpdir(), 'unik-build-'));
  store = new ImageStore(join(work, 'images'));
});
afterAll(() => fs.rmSync(work, { recursive: true, force: true }));

/** The processor that this host does not have. */
const other = process.arch === 'arm64' ? 'x86_64' : 'aarch64';

let count = 0;
/** A new application folder with these files; a text that starts with `#!` or ELF's magic is executable. */
function appOf(files: Readonly<Record<string, string>>): string {
  const dir = join(work, `app-${count++}`);
  fs.mkdirSync(dir);
  for (const [path, text] of Object.entries(files)) {
    fs.mkdirSync(join(dir, path, '..'), { recursive: true });
    fs.writeFileSync(join(dir, path), text, { mode: text.startsWith('#!') ? 0o755 : 0o644 });
  }
  return dir;
}

function build(source: string, options: Partial<BuildOptions> = {}): Promise<StoredImage> {
  return buildImage({ source, store, work, progress: () => undefined, env: process.env, ...options });
}

/** Unpacks the image's root and gives the folder. */
function unpack(image: StoredImage): string {
  const out = join(work, `root-${count++}`);
  execFileSync('fsck.erofs', [`--extract=${out}`, join(image.dir, image.root.file)], { stdio: 'pipe' });
  return out;
}

const has = (tool: string): boolean => {
  try {
    execFileSync('which', [tool], { stdio: 'pipe' });
    return true;
  } catch {
    return false;
  }
};

describe('each kind of application', () => {
  const APP = '/home/vcap/app';
  test.each<[app: FixtureApp, tools: string[], program: string]>([
    ['static', ['busybox'], '/usr/bin/httpd'],
    ['node-bare', [], '/usr/local/bin/node'],
    ['procfile', [], '/usr/local/bin/node'],
    ['node-deps', ['npm'], '/usr/local/bin/node'],
    ['python', ['python3', 'pip3'], 'python'],
    ['ruby', ['ruby', 'gem'], 'ruby'],
    ['go', ['go'], `${APP}/bin/hello`],
    ['java', ['java', 'javac', 'jar'], '/opt/java/bin/java'],
    ['binary', ['gcc'], `${APP}/server`],
  ])(
    '%s becomes the same image from wherever it lies, and is left as it was',
    async (name, tools, program) => {
      const absent = tools.find((tool) => !has(tool));
      if (absent !== undefined) {
        console.log(`skipped: ${absent} is not on this host`);
        return;
      }
      const original = fixtureApp(name, join(work, 'made'));
      const before = snapshot(original);
      const lines: string[] = [];
      const first = await build(original, { progress: (line) => lines.push(line), tags: [`kind-${name}`] });
      expect(snapshot(original)).toEqual(before);
      expect(first.processes['web']?.argv[0]).toContain(program);
      expect(lines[0]).toMatch(/^Application: /);
      expect(lines.at(-1)).toContain(first.digest.slice(0, 19));
      expect((await store.get(`kind-${name}`)).digest).toBe(first.digest);

      const elsewhere = join(work, 'elsewhere', name);
      fs.cpSync(original, elsewhere, { recursive: true });
      execFileSync('chmod', ['-R', 'go-rwx', elsewhere]);
      const { dir: _dir, created: _created, ...again } = await build(elsewhere);
      expect(again).toEqual({ ...first, dir: undefined, created: undefined });
      expect(JSON.stringify(again)).not.toContain(work);
      expect(fs.readdirSync(join(work, 'tmp'))).toEqual([]);
    },
    240_000,
  );

  test('static files for another processor, served by a program for that one', async () => {
    const image = await build(appOf({ 'index.html': 'hello', 'cgi-bin/x.cgi': '#!/bin/sh' }), { arch: other });
    expect(image).toMatchObject({
      arch: other,
      processes: { web: { argv: ['/usr/bin/unik-static', '.', '${PORT}'] } },
    });
    expect(image.findings.map(({ level, code }) => [level, code])).toEqual([['warning', 'cgi_unsupported']]);
    const root = unpack(image);
    expect(readElf(join(root, 'usr/bin/unik-static'))).toMatchObject({ arch: other });
    expect(fs.readdirSync(join(root, 'usr/bin'))).not.toContain('busybox');
  });

  test('a static program brings nothing but itself', async () => {
    if (!has('musl-gcc')) {
      console.log('skipped: musl-gcc is not on this host');
      return;
    }
    const image = await build(buildBinary(join(work, 'musl'), 'musl-gcc'));
    expect(image.root.bytes).toBeLessThan(1_000_000);
    expect(fs.existsSync(join(unpack(image), 'lib'))).toBe(false);
  });
});

describe('the root of an image', () => {
  test('is laid out as in a Cloud Foundry container', async () => {
    const image = await build(appOf({ 'server.js': '', '.git/config': '', 'sub/.DS_Store': '', 'data/a b': 'x' }));
    const root = unpack(image);
    expect(fs.readdirSync(join(root, 'home/vcap/app')).sort()).toEqual(['data', 'server.js', 'sub']);
    expect(fs.readdirSync(join(root, 'home/vcap/app/sub'))).toEqual([]);
    for (const folder of ['proc', 'sys', 'dev', 'run', 'tmp', 'var/tmp', 'home/vcap/tmp']) {
      expect(fs.readdirSync(join(root, folder))).toEqual([]);
    }
    expect(fs.statSync(join(root, 'tmp')).mode & 0o7777).toBe(0o1777);
    expect(fs.readlinkSync(join(root, 'etc/resolv.conf'))).toBe('/run/resolv.conf');
    expect(fs.readFileSync(join(root, 'etc/passwd'), 'utf8')).toContain('vcap:x:2000:2000:');
    expect(fs.existsSync(join(root, 'bin/sh'))).toBe(false);
    expect(image.env).toMatchObject({ HOME: '/home/vcap/app', USER: 'vcap', PORT: '8080', NODE_ENV: 'production' });
    expect(image).toMatchObject({ abi: 'linux-virtio-1', ports: [8080] });
  });

  test('owners: the application is its user’s, the rest is root’s', async () => {
    const image = await build(appOf({ 'server.js': '' }));
    const file = join(image.dir, image.root.file);
    const dump = (path: string): string => execFileSync('dump.erofs', [`--path=${path}`, file]).toString();
    expect(dump('/home/vcap/app/server.js')).toMatch(/Uid: 2000/);
    expect(dump('/usr/local/bin/node')).toMatch(/Uid: 0/);
  });

  test('what .cfignore and .unikignore name is no part of the application', async () => {
    const dir = appOf({
      '.cfignore': '*.log\nnode_modules\n',
      '.unikignore': '!keep.log\n',
      'server.js': '',
      'a.log': '',
      'keep.log': '',
      'node_modules/x/index.js': '',
    });
    const app = join(unpack(await build(dir)), 'home/vcap/app');
    expect(fs.readdirSync(app).sort()).toEqual(['keep.log', 'server.js']);
  });

  test('a shell only when asked for, and then only where it is needed', async () => {
    const dir = appOf({
      Procfile: 'web: node a.js\nworker: node b.js | cat\nscript: ./run.sh\n',
      'run.sh': '#!/bin/sh\n',
    });
    expect((await failure(() => build(dir))).code).toBe('command_needs_shell');
    const image = await build(dir, { withShell: true });
    expect(image.processes['web']?.argv).toEqual(['/usr/local/bin/node', 'a.js']);
    expect(image.processes['worker']?.argv).toEqual(['/bin/sh', '-c', 'node b.js | cat']);
    expect(image.processes['script']?.argv).toEqual(['/bin/sh', '/home/vcap/app/run.sh']);
    expect(fs.readlinkSync(join(unpack(image), 'usr/bin/sh'))).toBe('busybox');
  });

  test('what is in a module but cannot work here is a finding, not a failure', async () => {
    const dir = appOf({ 'server.js': '' });
    const source = join(work, 'module.c');
    fs.writeFileSync(source, 'int missing(void); int module(void) { return missing(); }');
    const library = join(work, 'libmissing.so');
    execFileSync('gcc', ['-shared', '-fPIC', '-o', library, '-xc', '/dev/null']);
    execFileSync('gcc', ['-shared', '-fPIC', '-o', join(dir, 'addon.node'), source, '-Wl,--no-as-needed', library]);
    fs.rmSync(library);
    const { findings } = await build(dir);
    expect(findings).toMatchObject([{ level: 'info', code: 'library_missing', file: 'addon.node' }]);
  });
});

describe('bad input', () => {
  test.each<[why: string, source: () => string, code: string, named: string]>([
    ['no such folder', () => join(work, 'nothing'), 'source_missing', 'nothing'],
    ['a file', () => join(appOf({ f: '' }), 'f'), 'source_missing', 'f'],
    ['an empty folder', () => appOf({}), 'source_empty', 'app-'],
    ['a folder with nothing but .git', () => appOf({ '.git/config': '' }), 'source_empty', 'app-'],
    ['an unknown language', () => appOf({ 'notes.txt': '' }), 'language_unknown', 'notes.txt'],
    ['a broken Procfile', () => appOf({ Procfile: 'web node' }), 'procfile_invalid', 'line 1'],
    ['a pipe', () => appOf({ Procfile: 'web: node a | b' }), 'command_needs_shell', '"|"'],
    ['a program that is not there', () => appOf({ Procfile: 'web: ./a', 'server.js': '' }), 'program_missing', './a'],
    [
      'dependencies neither installed nor locked',
      () => appOf({ 'package.json': '{"main":"m.js","dependencies":{"x":"1"}}', 'm.js': '' }),
      'toolchain_failed',
      'package-lock.json',
    ],
    ['a jar that is none', () => appOf({ 'a.jar': 'x' }), 'main_class_missing', 'a.jar'],
    ['a Staticfile with a wrong root', () => appOf({ Staticfile: 'root: public' }), 'program_missing', 'public'],
  ])('%s', async (_why, source, code, named) => {
    const refusal = await failure(() => build(source()));
    expect(refusal.code).toBe(code);
    expect(refusal.message).toContain(named);
    expect(fs.readdirSync(join(work, 'images')).filter((name) => name.startsWith('.tmp'))).toEqual([]);
  });

  test('a missing tool is named', async () => {
    const env = { PATH: '/nonexistent' };
    for (const [files, tool] of [
      [{ 'index.html': '' }, 'busybox'],
      [{ 'go.mod': 'module m' }, 'go'],
      [{ 'a.jar': '' }, 'java'],
      [{ Gemfile: '' }, 'ruby'],
    ] as const) {
      const refusal = await failure(() => build(appOf(files), { env }));
      expect(refusal.code).toBe('toolchain_missing');
      expect(refusal.message).toContain(tool);
    }
  });

  test.each([
    ['Node.js', { 'server.js': '1' }],
    ['Python 3', { 'app.py': '1' }],
    ['Ruby', { Gemfile: '' }],
    ['Java', { 'a.jar': 'x' }],
  ])('%s for another processor, before anything is built', async (runtime, files) => {
    const said: string[] = [];
    const source = appOf(files);
    const refusal = await failure(() => build(source, { arch: other, progress: (line) => said.push(line) }));
    expect(refusal.code).toBe('runtime_missing');
    expect(refusal.message).toContain(`needs ${runtime} for ${other}`);
    expect(refusal.hint).toMatch(/another stack/);
    expect(said).toHaveLength(1);
  });

  test('a build that is cancelled leaves nothing', async () => {
    await expect(build(appOf({ 'server.js': '' }), { signal: AbortSignal.abort() })).rejects.toThrow(/abort/);
    expect(fs.readdirSync(join(work, 'tmp'))).toEqual([]);
  });
});

/** Paths, kinds, modes, times and sizes below a folder. */
function snapshot(dir: string): string[] {
  return fs
    .readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((path) => {
      const { mode, mtimeMs, size } = fs.lstatSync(join(dir, path));
      return `${path} ${mode} ${mtimeMs} ${size}`;
    });
}
