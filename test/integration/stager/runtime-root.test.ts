import { afterAll, expect, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ImageStore, type StoredImage } from '../../../executor/images/store.js';
import { hostArch } from '../../../stager/arch.js';
import { buildImage } from '../../../stager/build.js';
import { programIn, runtimeRoot } from '../../../stager/runtime-root.js';
import { nodeToolchain } from '../../../stager/toolchains/node.js';
import { foreignInterpreter, wheelsFor } from '../../../stager/toolchains/python-foreign.js';
import { rubyToolchain } from '../../../stager/toolchains/ruby.js';
import { STATIC_SERVER_ARM64_BASE64 } from '../../../stager/toolchains/static-server-arm64-code.js';
import { failure } from '../../support/failure.js';

const work = mkdtempSync(join(tmpdir(), 'unik-root-'));
afterAll(() => rmSync(work, { recursive: true, force: true }));

let count = 0;
function rootOf(...files: string[]): string {
  const root = join(work, `root-${count++}`);
  mkdirSync(root);
  for (const file of files) {
    mkdirSync(join(root, dirname(file)), { recursive: true });
    writeFileSync(join(root, file), '');
  }
  return root;
}

test('this host has its own runtimes, whatever is named', () => {
  const env = { UNIK_ARM64_ROOT: '/nonexistent' };
  expect(runtimeRoot(nodeToolchain, hostArch(), env)).toBe('');
  expect(runtimeRoot({}, 'aarch64', env)).toBe('');
});

// Of the other processor an arm64 host has no root to name.
const onX86 = process.arch === 'x64' ? test : test.skip;
if (process.arch !== 'x64') console.log('skipped: an arm64 root is for hosts with another processor');

onX86('the folder that the operator names', () => {
  const root = rootOf('usr/bin/node');
  expect(runtimeRoot(nodeToolchain, 'aarch64', { UNIK_ARM64_ROOT: `${root}/` })).toBe(root);
});

onX86('without one it is said what to do', async () => {
  const { code, message } = await failure(() => runtimeRoot(nodeToolchain, 'aarch64', {}));
  expect(code).toBe('runtime_missing');
  for (const part of ['needs Node.js for aarch64', 'nodejs:arm64', 'apt-get download, dpkg -x', 'UNIK_ARM64_ROOT'])
    expect(message).toContain(part);
});

onX86.each(['relative', '/nonexistent', '/', '/etc/passwd'])('%s is no root', async (named) => {
  const { code, message } = await failure(() => runtimeRoot(nodeToolchain, 'aarch64', { UNIK_ARM64_ROOT: named }));
  expect(code).toBe('runtime_missing');
  expect(message).toContain(`UNIK_ARM64_ROOT=${named} is no folder`);
});

onX86('Ruby is refused all the same', async () => {
  const { code, message } = await failure(() => runtimeRoot(rubyToolchain, 'aarch64', { UNIK_ARM64_ROOT: work }));
  expect(code).toBe('runtime_missing');
  expect(message).not.toContain('UNIK_ARM64_ROOT');
});

/** A folder with a program for arm64 as its Node.js, and an application for it. */
async function buildOn(files: Readonly<Record<string, string | Buffer>>): Promise<StoredImage> {
  const root = rootOf('usr/bin/node');
  writeFileSync(join(root, 'usr/bin/node'), Buffer.from(STATIC_SERVER_ARM64_BASE64, 'base64'), { mode: 0o755 });
  const source = rootOf(...Object.keys(files));
  for (const [path, content] of Object.entries(files)) writeFileSync(join(source, path), content);
  const env = { ...process.env, UNIK_ARM64_ROOT: root };
  const store = new ImageStore(join(work, 'images'));
  return buildImage({ source, store, work: join(work, 'build'), arch: 'aarch64', env, progress: () => undefined });
}

onX86('an image has the Node.js of the root, at the place where it always lies', async () => {
  const image = await buildOn({ 'server.js': '1', 'node_modules/pure/index.js': '1' });
  expect(image).toMatchObject({ arch: 'aarch64', processes: { web: { argv: ['/usr/local/bin/node', 'server.js'] } } });
});

onX86('native code that was made for the host is refused by its name', async () => {
  const module = readFileSync('/usr/bin/true');
  const refusal = await failure(() => buildOn({ 'server.js': '1', 'node_modules/fast/build/fast.node': module }));
  expect(refusal.code).toBe('arch_mismatch');
  expect(refusal.message).toMatch(/node_modules\/fast\/build\/fast\.node is native code for x86_64.*none for aarch64/);
});

test('a program is found in its folders, or missed by name', async () => {
  const root = rootOf('usr/bin/node');
  symlinkSync('node', join(root, 'usr/bin/nodejs'));
  expect(['node', 'nodejs'].map((name) => programIn(root, name))).toEqual(['/usr/bin/node', '/usr/bin/nodejs']);
  const missed = await failure(() => programIn(root, 'busybox'));
  expect([missed.code, missed.message]).toEqual(['runtime_missing', expect.stringContaining('has no busybox')]);
});

test('Python is told by its files: the newest that has a library', async () => {
  const root = rootOf(
    ...['usr/bin/python3.9', 'usr/lib/python3.9/os.py', 'usr/bin/python3.11', 'usr/lib/python3.11/os.py'],
    ...['usr/bin/python3.12-config', 'usr/local/bin/python3.13', 'usr/local/lib/python3.13/os.py'],
  );
  const found = foreignInterpreter(root);
  expect(found).toEqual({
    ...{ version: '3.11', executable: '/usr/bin/python3.11', stdlib: '/usr/lib/python3.11' },
    ...{ extensions: '/usr/lib/python3.11/lib-dynload', cacheTag: 'cpython-311' },
  });
  expect(foreignInterpreter(rootOf('usr/local/bin/python3.8', 'usr/local/lib/python3.8/os.py')).executable).toBe(
    '/usr/local/bin/python3.8',
  );
  const missed = await failure(() => foreignInterpreter(rootOf('usr/bin/python3.11')));
  expect(missed.code).toBe('runtime_missing');
  expect(wheelsFor(found, 'aarch64').join(' ')).toMatch(
    /^--only-binary=:all: .*--python-version 3\.11 .*--platform manylinux2014_aarch64/,
  );
});
