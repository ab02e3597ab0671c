/** Our lifecycle as it ships: `builder` with Diego's flags, over buildpacks of the test and over our own. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unpackDroplet } from '../../../executor/images/droplet.js';
import { ImageStore } from '../../../executor/images/store.js';
import { xxhash64 } from '../../../stager/lifecycle/xxhash64.js';
import { lifecycleIn, runProgram, stagingFolders, unpackAny, type Ended } from '../../support/buildpack.js';
import { APPS } from '../../support/fixture-apps.js';
import { writeZip } from '../../support/zip.js';

let work: string;
let lifecycle: string;
let count = 0;
beforeAll(async () => {
  work = fs.mkdtempSync(join(tmpdir(), 'unik-lifecycle-'));
  lifecycle = await lifecycleIn(work);
}, 60_000);
afterAll(() => fs.rmSync(work, { recursive: true, force: true }));

interface Staged extends Ended {
  dir: string;
  result: Record<string, unknown> | undefined;
}

/** What a test's buildpack does: a script for each step. */
type Scripts = Partial<Record<'detect' | 'supply' | 'finalize' | 'compile' | 'release', string>>;

function writeBuildpack(dir: string, scripts: Scripts): void {
  fs.mkdirSync(join(dir, 'bin'), { recursive: true });
  for (const [name, script] of Object.entries(scripts)) {
    fs.writeFileSync(join(dir, 'bin', name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
}

async function stage(options: {
  order: string;
  skipDetect?: boolean;
  app?: string;
  buildpacks?: Record<string, Scripts>;
  /** How the folders of buildpacks are named. */
  name?: (key: string) => string;
  env?: Record<string, string>;
}): Promise<Staged> {
  const dir = join(work, `staging-${count++}`);
  const { build, cache } = stagingFolders(dir, options.app ?? join(APPS, 'static'));
  const at = (name: string): string => join(dir, name);
  const scratch = at('tmp');
  fs.mkdirSync(scratch);
  for (const [key, scripts] of Object.entries(options.buildpacks ?? {})) {
    writeBuildpack(at(join('buildpacks', (options.name ?? xxhash64)(key))), scripts);
  }
  const ended = await runProgram(
    join(lifecycle, 'builder'),
    [
      `-buildpackOrder=${options.order}`,
      '-skipCertVerify=false',
      `-skipDetect=${options.skipDetect ?? false}`,
      `-buildDir=${build}`,
      `-outputDroplet=${at('droplet')}`,
      `-outputMetadata=${at('result.json')}`,
      `-outputBuildArtifactsCache=${at('output-cache')}`,
      `-buildpacksDir=${at('buildpacks')}`,
      `-buildpacksDownloadDir=${at('downloads')}`,
      `-buildArtifactsCacheDir=${cache}`,
    ],
    { CF_STACK: 'unik', TMPDIR: scratch, ...options.env },
  );
  const file = at('result.json');
  const result = fs.existsSync(file)
    ? (JSON.parse(fs.readFileSync(file, 'utf8')) as Record<string, unknown>)
    : undefined;
  return { ...ended, dir, result };
}

async function unpacked(file: string): Promise<string> {
  const into = join(work, `unpacked-${count++}`);
  fs.mkdirSync(into);
  await unpackAny(file, into);
  return into;
}

const SAYS_YES = 'echo "hello 1"';

describe('builder', () => {
  test('an empty order means our own buildpack, and the droplet carries an image', async () => {
    const staged = await stage({ order: '' });
    expect(staged).toMatchObject({ code: 0 });
    expect(staged.result).toMatchObject({
      execution_metadata: '',
      lifecycle_type: 'buildpack',
      lifecycle_metadata: {
        buildpack_key: 'unik_buildpack',
        detected_buildpack: expect.stringMatching(/^unik \d/),
        buildpacks: [{ key: 'unik_buildpack', name: 'unik', version: expect.any(String) }],
      },
      process_types: { web: expect.stringContaining('httpd') },
      sidecars: null,
    });
    const store = new ImageStore(join(staged.dir, 'images'));
    const image = await unpackDroplet(fs.createReadStream(join(staged.dir, 'droplet')), store);
    expect(image.processes['web']?.argv[0]).toBe('/usr/bin/httpd');

    const droplet = await unpacked(join(staged.dir, 'droplet'));
    expect(fs.readdirSync(droplet).sort()).toEqual(['app', 'deps', 'logs', 'profile.d', 'staging_info.yml', 'tmp']);
    expect(JSON.parse(fs.readFileSync(join(droplet, 'staging_info.yml'), 'utf8'))).toMatchObject({
      start_command: expect.stringContaining('httpd'),
    });

    const again = await stage({ order: '' });
    const second = await unpackDroplet(fs.createReadStream(join(again.dir, 'droplet')), store);
    expect(second.digest).toBe(image.digest);
  }, 60_000);

  test.each<[how: string, name: (key: string) => string]>([
    ['xxhash64', xxhash64],
    ['md5', (key) => createHash('md5').update(key).digest('hex')],
  ])('several buildpacks (folders by %s): supply each, finalize with the last', async (_how, name) => {
    const first =
      'mkdir -p "$3/$4/bin" && echo "name: first" > "$3/$4/config.yml" && echo supplied-first && echo kept >> "$2/cached"';
    const last = 'echo finalize "$4" "$(ls "$3")" "$5" && echo "export A=1" > "$5/a.sh" && touch "$1/built"';
    const staged = await stage({
      order: 'one_buildpack,two_buildpack',
      skipDetect: true,
      name,
      buildpacks: {
        one_buildpack: { supply: first },
        two_buildpack: {
          supply: 'echo supplied-last',
          finalize: last,
          release: 'echo "default_process_types:"; echo "  web: run it"',
        },
      },
    });
    expect({ code: staged.code, output: staged.output }).toMatchObject({ code: 0 });
    expect(staged.output).toMatch(/supplied-first\nsupplied-last\nfinalize 1 0\n1 /);
    expect(staged.result).toMatchObject({
      process_types: { web: 'run it' },
      lifecycle_metadata: {
        buildpack_key: 'two_buildpack',
        buildpacks: [
          { key: 'one_buildpack', name: 'first' },
          { key: 'two_buildpack', name: 'two_buildpack' },
        ],
      },
    });
    const droplet = await unpacked(join(staged.dir, 'droplet'));
    expect(fs.readdirSync(join(droplet, 'app')).sort()).toEqual(['built', 'data.json', 'index.html']);
    expect(fs.readFileSync(join(droplet, 'profile.d/a.sh'), 'utf8')).toBe('export A=1\n');
    const cache = await unpacked(join(staged.dir, 'output-cache'));
    expect(fs.readdirSync(cache, { recursive: true })).toContain(
      join(createHash('md5').update('one_buildpack').digest('hex'), 'cached'),
    );
  });

  test('detects in order, and builds with compile where there is no finalize', async () => {
    const staged = await stage({
      order: 'no,yes,never',
      buildpacks: {
        no: { detect: 'exit 1' },
        yes: { detect: SAYS_YES, compile: 'echo compiled "$1"' },
        never: { detect: 'echo asked-anyway >&2' },
      },
    });
    expect(staged).toMatchObject({ code: 0 });
    expect(staged.output).toMatch(/compiled .*\/app/);
    expect(staged.output).not.toMatch(/asked-anyway/);
    expect(staged.output).toMatch(/No start command specified/);
    expect(staged.result).toMatchObject({
      lifecycle_metadata: { detected_buildpack: 'hello 1', buildpack_key: 'yes' },
      process_types: {},
    });
  });

  test.each<[why: string, order: string, skipDetect: boolean, scripts: Scripts, status: number, said: RegExp]>([
    ['no buildpack wants it', 'a', false, { detect: 'exit 1' }, 222, /None of the buildpacks detected/],
    ['compile fails', 'a', true, { compile: 'exit 3' }, 223, /Failed to compile droplet: exit status 3/],
    ['release fails', 'a', true, { compile: 'true', release: 'exit 1' }, 224, /Failed to build droplet release/],
    [
      'supply fails',
      'a',
      true,
      { supply: 'exit 7', finalize: 'true' },
      225,
      /Failed to run all supply scripts: exit status 7/,
    ],
    ['finalize fails', 'a', true, { finalize: 'exit 9' }, 226, /Failed to run finalize script: exit status 9/],
    ['one of several cannot supply', 'a,a', true, { finalize: 'true' }, 225, /no bin\/supply/],
    ['a release that is no YAML', 'a', true, { compile: 'true', release: 'echo "{"' }, 1, /buildpack_failed/],
    ['a buildpack that is not there', 'b', true, {}, 223, /buildpack_missing/],
  ])('%s', async (_why, order, skipDetect, scripts, status, said) => {
    const staged = await stage({ order, skipDetect, buildpacks: { a: scripts } });
    expect({ code: staged.code, output: staged.output }).toEqual({ code: status, output: expect.stringMatching(said) });
    expect(fs.existsSync(join(staged.dir, 'droplet'))).toBe(false);
    // Cloud Controller gets to know who took part, even then.
    expect(staged.result).toMatchObject({ lifecycle_type: 'buildpack', process_types: {} });
    expect(fs.readdirSync(join(staged.dir, 'tmp'))).toEqual([]);
  });

  test('our buildpack’s refusal reaches the log, with exit status 226', async () => {
    const app = join(work, 'refused');
    fs.mkdirSync(app);
    fs.writeFileSync(join(app, 'Procfile'), 'web: node a | b\n');
    const { code, output } = await stage({ order: '', app });
    expect(code).toBe(226);
    expect(output).toMatch(/\(command_needs_shell\)[^]*fix: A unikernel runs one program/);
  });

  test('a buildpack by its URL: a zip with a folder in it, the password in no line', async () => {
    const file = join(work, 'custom.zip');
    await writeZip(file, [
      { name: 'custom-1.0/bin/detect', content: `#!/bin/sh\n${SAYS_YES}\n`, mode: 0o100755 },
      { name: 'custom-1.0/bin/compile', content: '#!/bin/sh\necho custom at work\n', mode: 0o100755 },
    ]);
    const asked: string[] = [];
    const server = createServer((request, reply) => {
      asked.push(request.headers.authorization ?? '');
      if (request.url === '/custom.zip') reply.end(fs.readFileSync(file));
      else reply.writeHead(404).end();
    });
    const host = await listening(server);
    try {
      const good = await stage({ order: `http://user:hush@${host}/custom.zip` });
      expect(good).toMatchObject({ code: 0, output: expect.stringContaining('custom at work') });
      expect(asked[0]).toBe(`Basic ${Buffer.from('user:hush').toString('base64')}`);
      for (const path of ['none.zip', 'no-repository']) {
        const bad = await stage({ order: `http://user:hush@${host}/${path}`, skipDetect: true });
        expect(bad.code).not.toBe(0);
        expect(bad.output).toContain(path);
        expect(bad.output).not.toContain('hush');
      }
    } finally {
      server.close();
    }
  });

  describe('a buildpack in a git repository', () => {
    let served: string;
    let server: Server;
    let host: string;
    const asked: string[] = [];
    beforeAll(async () => {
      served = join(work, 'served');
      const source = join(work, 'source');
      const git = (...args: string[]): string =>
        execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', ...args], { cwd: source, encoding: 'utf8' });
      for (const dir of [source, served]) fs.mkdirSync(dir);
      git('init', '-q', '-b', 'main');
      for (const branch of ['main', 'v2']) {
        writeBuildpack(source, { detect: `echo "git ${branch}"`, compile: `echo compiled by ${branch}` });
        if (branch !== 'main') git('checkout', '-q', '-b', branch);
        git('add', '-A');
        git('commit', '-q', '-m', branch);
      }
      git('checkout', '-q', 'main');
      git('clone', '-q', '--bare', source, join(served, 'bp.git'));
      execFileSync('git', ['update-server-info'], { cwd: join(served, 'bp.git') });
      // Plain files, which no shallow clone can be made of.
      server = createServer((request, reply) => {
        asked.push(request.headers.authorization ?? '');
        const file = join(served, new URL(request.url ?? '', 'http://x').pathname);
        if (fs.existsSync(file)) reply.end(fs.readFileSync(file));
        else reply.writeHead(404).end();
      });
      host = await listening(server);
    });
    afterAll(() => {
      server.close();
    });

    test.each([
      ['what the server has checked out', '', 'main'],
      ['a branch', '#v2', 'v2'],
    ])('%s', async (_what, fragment, branch) => {
      const staged = await stage({ order: `http://user:hush@${host}/bp.git${fragment}` });
      expect(staged).toMatchObject({ code: 0, output: expect.stringContaining(`compiled by ${branch}`) });
      expect(staged.output).not.toContain('hush');
      expect(staged.result).toMatchObject({ lifecycle_metadata: { detected_buildpack: `git ${branch}` } });
      expect(new Set(asked)).toEqual(new Set([`Basic ${Buffer.from('user:hush').toString('base64')}`]));
    });

    test.each([
      ['a branch that is not there', '/bp.git#v3', /branch v3, could not be cloned[^]*v3/],
      ['a repository that is not there', '/none.git', /none\.git could not be cloned/],
      ['what git would take for an option', '/bp.git#--upload-pack=x', /is no name of a branch/],
    ])('%s', async (_what, path, said) => {
      const staged = await stage({ order: `http://user:hush@${host}${path}`, skipDetect: true });
      expect({ code: staged.code, output: staged.output }).toEqual({ code: 223, output: expect.stringMatching(said) });
      expect(staged.output).not.toContain('hush');
    });
  });

  test('a buildpack by its path', async () => {
    const dir = join(work, 'by-path');
    writeBuildpack(dir, { detect: SAYS_YES, compile: 'echo compiled here' });
    expect(await stage({ order: dir })).toMatchObject({ code: 0, output: expect.stringContaining('compiled here') });
  });

  test('wrong flags are refused', async () => {
    const { code, output } = await runProgram(join(lifecycle, 'builder'), ['-what=1']);
    expect({ code, output }).toEqual({ code: 1, output: expect.stringContaining('--what') });
  });
});

describe('the other programs', () => {
  test('launcher: scripts, environment, command, exit status', async () => {
    const home = join(work, 'container');
    fs.mkdirSync(join(home, 'app/.profile.d'), { recursive: true });
    fs.writeFileSync(join(home, 'app/.profile.d/a.sh'), 'export GREETING=hello\n');
    const launch = (args: string[]): Promise<Ended> =>
      runProgram(join(lifecycle, 'launcher'), args, { PORT: '8080', VCAP_APPLICATION: '{}' });
    const ended = await launch([join(home, 'app'), 'echo $GREETING $HOME $VCAP_APPLICATION; exit 5', '']);
    expect(ended.code).toBe(5);
    expect(ended.stdout).toBe(
      `Invoking pre-start scripts.\nInvoking start command.\nhello ${home}/app {"host":"0.0.0.0","instance_id":"","port":8080}\n`,
    );
    expect((await launch(['a', 'b'])).code).toBe(1);
    expect((await launch([join(home, 'app'), '', ''])).code).toBe(1);
  });

  test('healthcheck: a port that answers, and one that does not', async () => {
    const server = createServer((request, reply) => reply.writeHead(request.url === '/ok' ? 200 : 500).end());
    await new Promise<void>((resolve) => server.listen(0, resolve));
    const { port } = server.address() as AddressInfo;
    const check = (...args: string[]): Promise<Ended> => runProgram(join(lifecycle, 'healthcheck'), args);
    try {
      expect(await check(`-port=${port}`)).toMatchObject({ code: 0, stdout: 'healthcheck passed\n' });
      expect((await check(`-port=${port}`, '-uri=/ok', '-timeout=5s')).code).toBe(0);
      const failing = await check(`-port=${port}`, '-uri=/bad', '-timeout=5s');
      expect(failing.code).toBe(6);
      expect(failing.stdout).toMatch(/request to '\/bad' on port \d+: received status code 500 in \d+ms/);
    } finally {
      server.close();
    }
    expect((await check(`-port=${port}`)).code).toBe(4);
  });
});

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}
