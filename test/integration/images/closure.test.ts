import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { libraryClosure } from '../../../executor/images/closure.js';
import { readElf } from '../../../executor/images/elf.js';
import { addHostFile } from '../../../executor/images/host-files.js';
import { glibcDirs } from '../../../executor/images/library-dirs.js';
import { RootTree } from '../../../executor/images/tree.js';
import { failure } from '../../support/failure.js';

/** Compiled for the machine that runs the tests. */
const arch = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
let work: string;

function compile(name: string, source: string, ...options: string[]): string {
  const file = join(work, `${basename(name)}.c`);
  fs.writeFileSync(file, source);
  const out = join(work, name);
  fs.mkdirSync(join(out, '..'), { recursive: true });
  execFileSync('gcc', ['-o', out, file, ...options], { stdio: 'pipe' });
  return out;
}

beforeAll(() => {
  work = fs.mkdtempSync(join(tmpdir(), 'unik-elf-'));
  compile('lib/libinner.so', 'int inner(void) { return 1; }', '-shared', '-fPIC', '-Wl,-soname,libinner.so');
  const inner = ['-L', join(work, 'lib'), '-linner', '-Wl,-rpath,$ORIGIN'];
  compile('lib/libouter.so', 'int inner(void); int outer(void) { return inner(); }', '-shared', '-fPIC', ...inner);
  const outer = ['-L', join(work, 'lib'), '-louter', '-Wl,-rpath-link', join(work, 'lib')];
  const main = 'int outer(void); int main(void) { return outer(); }';
  compile('bin/runpath', main, ...outer, '-Wl,--enable-new-dtags,-rpath,${ORIGIN}/../lib');
  compile('bin/rpath', main, ...outer, '-Wl,--disable-new-dtags,-rpath,$ORIGIN/../lib');
  compile('bin/lost', main, ...outer);
  compile('bin/fixed', 'int main(void) { return 0; }', '-static');
  compile('bin/pie', 'int main(void) { return 0; }', '-static-pie', '-fPIE');
}, 60_000);
afterAll(() => fs.rmSync(work, { recursive: true, force: true }));

const names = (paths: readonly string[]): string[] => paths.map((path) => basename(path));

describe('readElf', () => {
  test('tells programs, libraries and other files apart', () => {
    expect(readElf(join(work, 'bin/runpath'))).toMatchObject({
      arch,
      bits: 64,
      kind: 'executable',
      needed: ['libouter.so', 'libc.so.6'],
      runpath: ['${ORIGIN}/../lib'],
      rpath: [],
    });
    expect(readElf(join(work, 'bin/rpath'))).toMatchObject({ rpath: ['$ORIGIN/../lib'], runpath: [] });
    expect(readElf(join(work, 'lib/libinner.so'))).toMatchObject({ kind: 'library', soname: 'libinner.so' });
    expect(readElf(join(work, 'bin/fixed'))).toMatchObject({ kind: 'executable', needed: [] });
    const pie = readElf(join(work, 'bin/pie'));
    expect(pie).toMatchObject({ kind: 'executable', needed: [] });
    expect(pie?.interpreter).toBeUndefined();
    expect(readElf(join(work, 'runpath.c'))).toBeUndefined();
  });

  test('a file cut anywhere is a file that is no ELF file, never a crash', () => {
    const whole = fs.readFileSync(join(work, 'bin/runpath'));
    const cut = join(work, 'cut');
    for (const bytes of [0, 3, 4, 19, 20, 63, 64, 200, 800, 3000]) {
      fs.writeFileSync(cut, whole.subarray(0, bytes));
      expect(readElf(cut)).toBeUndefined();
    }
    const wild = Buffer.from(whole);
    wild.fill(0xff, 32, 64);
    fs.writeFileSync(cut, wild);
    expect(readElf(cut)).toBeUndefined();
  });
});

describe('libraryClosure', () => {
  test.each(['runpath', 'rpath'])('follows %s, and what glibc opens by itself', (program) => {
    const found = libraryClosure([join(work, 'bin', program)], { arch });
    const own = found.filter((path) => path.startsWith(work)).map((path) => fs.realpathSync(path));
    expect(own).toEqual(
      [join(work, 'lib/libinner.so'), join(work, 'lib/libouter.so')].map((path) => fs.realpathSync(path)),
    );
    expect(names(found)).toEqual(expect.arrayContaining(['libc.so.6', 'libnss_dns.so.2']));
    expect(names(found).some((name) => name.startsWith('ld-linux'))).toBe(true);
  });

  test('agrees with the loader itself', () => {
    const program = fs.realpathSync(process.execPath);
    const loader = readElf(program)?.interpreter;
    if (loader === undefined) {
      console.log('skipped: this node is linked statically');
      return;
    }
    const listed = execFileSync(loader, ['--list', program]).toString();
    const loaded = [...listed.matchAll(/=> (\/\S+)/g)].map(([, path]) => fs.realpathSync(path ?? '')).sort();
    const found = libraryClosure([program], { arch }).map((path) => fs.realpathSync(path));
    expect(found).toEqual(expect.arrayContaining(loaded));
  });

  test('a static program needs nothing', () => {
    expect(libraryClosure([join(work, 'bin/fixed'), join(work, 'bin/pie')], { arch })).toEqual([]);
  });

  test('a library path is searched first', () => {
    const found = libraryClosure([join(work, 'bin/lost')], { arch, libraryPath: [join(work, 'lib')] });
    expect(names(found)).toContain('libouter.so');
  });

  test('a missing library is named, with the file that wants it', async () => {
    const refusal = await failure(() => libraryClosure([join(work, 'bin/lost')], { arch }));
    expect(refusal.code).toBe('library_missing');
    expect(refusal.message).toContain('bin/lost');
    expect(refusal.message).toContain('libouter.so');
  });

  test('another machine is refused', async () => {
    const other = arch === 'x86_64' ? 'aarch64' : 'x86_64';
    expect((await failure(() => libraryClosure([join(work, 'bin/fixed')], { arch: other }))).code).toBe(
      'arch_mismatch',
    );
  });

  test('no program at all is refused', async () => {
    expect((await failure(() => libraryClosure([join(work, 'runpath.c')], { arch }))).code).toBe('program_missing');
  });
});

test('ld.so.conf is read with its includes, also one that includes itself', () => {
  const etc = join(work, 'etc');
  fs.mkdirSync(join(etc, 'conf.d'), { recursive: true });
  fs.writeFileSync(join(etc, 'ld.so.conf'), '# all\ninclude conf.d/*.conf\ninclude ld.so.conf\n/last # comment\n');
  fs.writeFileSync(join(etc, 'conf.d/b.conf'), '/b1 /b2\nrelative\n');
  fs.writeFileSync(join(etc, 'conf.d/a.conf'), '/a\n');
  fs.writeFileSync(join(etc, 'conf.d/c.txt'), '/not-me\n');
  expect(glibcDirs('x86_64', etc).slice(0, 4)).toEqual(['/a', '/b1', '/b2', '/last']);
  expect(glibcDirs('x86_64', join(work, 'none'))).toContain('/usr/lib/x86_64-linux-gnu');
});

test('a file of the host keeps its path, with every link on the way', () => {
  const dir = fs.realpathSync(work);
  fs.mkdirSync(join(dir, 'real'));
  fs.writeFileSync(join(dir, 'real/lib.so.1.2'), 'x');
  fs.symlinkSync('lib.so.1.2', join(dir, 'real/lib.so.1'));
  fs.symlinkSync('real', join(dir, 'link'));
  fs.symlinkSync(join(dir, 'link'), join(dir, 'absolute'));
  const tree = new RootTree();
  addHostFile(tree, join(dir, 'absolute/lib.so.1'));
  expect(tree.get(join(dir, 'absolute'))).toMatchObject({ kind: 'symlink', target: Buffer.from(join(dir, 'link')) });
  expect(tree.get(join(dir, 'link'))).toMatchObject({ kind: 'symlink', target: Buffer.from('real') });
  expect(tree.get(join(dir, 'real/lib.so.1'))).toMatchObject({ kind: 'symlink', target: Buffer.from('lib.so.1.2') });
  expect(tree.get(join(dir, 'real/lib.so.1.2'))).toMatchObject({ kind: 'file', bytes: 1, uid: 0 });
});

test('a link that leads to itself is an error', async () => {
  fs.symlinkSync('round', join(work, 'round'));
  expect((await failure(() => addHostFile(new RootTree(), join(work, 'round')))).code).toBe('source_unreadable');
});
