import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeErofs } from '../../../executor/images/erofs/write.js';
import type { ImageFinding } from '../../../executor/images/image.js';
import { readFolder } from '../../../executor/images/read-folder.js';
import { RootTree, VCAP } from '../../../executor/images/tree.js';
import { failure } from '../../support/failure.js';

let work: string;
let count = 0;
beforeAll(() => {
  work = fs.mkdtempSync(join(tmpdir(), 'unik-erofs-'));
});
afterAll(() => fs.rmSync(work, { recursive: true, force: true }));

const fresh = (name: string): string => join(work, `${name}-${count++}`);

async function treeOf(dir: string, onFinding?: (finding: ImageFinding) => void): Promise<RootTree> {
  const tree = new RootTree();
  await readFolder(dir, tree.root, { owner: VCAP, ...(onFinding ? { onFinding } : {}) });
  return tree;
}

/** Writes the tree and unpacks the image again with the stock tool, which also checks its structure. */
async function roundTrip(tree: RootTree): Promise<string> {
  const image = fresh('image');
  await writeErofs(tree.root, image);
  const out = fresh('out');
  execFileSync('fsck.erofs', [`--extract=${out}`, image], { stdio: 'pipe' });
  return out;
}

/** Path, kind, execute bit and content of everything in a folder. Names as bytes. */
function listing(dir: string): string[] {
  const lines: string[] = [];
  const visit = (path: Buffer, inside: string): void => {
    for (const name of fs.readdirSync(path, { encoding: 'buffer' })) {
      const full = Buffer.concat([path, Buffer.from('/'), name]);
      const shown = `${inside}/${name.toString('latin1')}`;
      const stats = fs.lstatSync(full);
      if (stats.isDirectory()) {
        lines.push(`${shown}/`);
        visit(full, shown);
      } else if (stats.isSymbolicLink()) {
        lines.push(`${shown} -> ${fs.readlinkSync(full, { encoding: 'buffer' }).toString('latin1')}`);
      } else {
        const hash = createHash('sha256').update(fs.readFileSync(full)).digest('hex');
        lines.push(`${shown} ${(stats.mode & 0o100) !== 0 ? 'x' : '-'} ${stats.size} ${hash}`);
      }
    }
  };
  visit(Buffer.from(dir), '');
  return lines.sort();
}

describe('writeErofs', () => {
  test('gives back every kind of file', async () => {
    const dir = fresh('all');
    fs.mkdirSync(join(dir, 'empty/folder'), { recursive: true });
    fs.writeFileSync(join(dir, 'empty file'), '');
    fs.writeFileSync(join(dir, 'name with\nnewline'), 'a');
    fs.writeFileSync(join(dir, 'ünïcödé 🎈'), 'b');
    fs.writeFileSync(Buffer.concat([Buffer.from(`${dir}/`), Buffer.from([0xff, 0xfe, 0x41])]), 'no UTF-8');
    fs.writeFileSync(join(dir, '-before-dot'), 'c');
    fs.writeFileSync(join(dir, 'n'.repeat(255)), 'longest name');
    fs.writeFileSync(join(dir, 'private'), 'd', { mode: 0o600 });
    fs.writeFileSync(join(dir, 'program'), 'e', { mode: 0o700 });
    fs.symlinkSync('nowhere', join(dir, 'dangling'));
    fs.symlinkSync('/etc/passwd', join(dir, 'absolute'));
    fs.symlinkSync('loop', join(dir, 'loop'));
    fs.symlinkSync('.', join(dir, 'itself'));
    fs.symlinkSync('t'.repeat(4090), join(dir, 'long target'));
    for (const bytes of [1, 4031, 4032, 4033, 4095, 4096, 4097, 8128, 8192, 1_048_575, 1_048_577]) {
      fs.writeFileSync(join(dir, `size ${bytes}`), Buffer.alloc(bytes, bytes % 251));
    }
    expect(listing(await roundTrip(await treeOf(dir)))).toEqual(listing(dir));
  });

  test('10 000 small files in one folder and 300 folders deep', async () => {
    const dir = fresh('many');
    const deep = join(dir, ...Array.from({ length: 300 }, (_, i) => `d${i}`));
    fs.mkdirSync(deep, { recursive: true });
    fs.writeFileSync(join(deep, 'bottom'), 'bottom');
    for (let i = 0; i < 10_000; i++) fs.writeFileSync(join(dir, `file-${i}`), `content ${i}`);
    expect(listing(await roundTrip(await treeOf(dir)))).toEqual(listing(dir));
  }, 120_000);

  test('any tree', async () => {
    const name = fc.oneof(
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }),
      fc.constantFrom('!', '-', '..x', '...', 'a', 'b', '~'),
    );
    const usable = name.filter((text) => !/[/\0]/.test(text) && text !== '.' && text !== '..');
    const files = fc.dictionary(usable, fc.nat({ max: 9000 }), { maxKeys: 60 });
    await fc.assert(
      fc.asyncProperty(fc.dictionary(usable, files, { maxKeys: 4 }), async (folders) => {
        const tree = new RootTree();
        const wanted: string[] = [];
        for (const [folder, content] of Object.entries(folders)) {
          tree.folder(folder);
          wanted.push(`/${Buffer.from(folder).toString('latin1')}/`);
          for (const [file, bytes] of Object.entries(content)) {
            tree.file(`${folder}/${file}`, Buffer.alloc(bytes, 7));
            const hash = createHash('sha256').update(Buffer.alloc(bytes, 7)).digest('hex');
            wanted.push(`/${Buffer.from(`${folder}/${file}`).toString('latin1')} - ${bytes} ${hash}`);
          }
        }
        expect(listing(await roundTrip(tree))).toEqual(wanted.sort());
      }),
      { numRuns: 25 },
    );
  }, 120_000);

  test('depends on names, bytes and execute bits only', async () => {
    const make = (order: readonly number[], mode: number, time: number): string => {
      const dir = fresh('same');
      fs.mkdirSync(join(dir, 'sub'), { recursive: true });
      for (const i of order) {
        fs.writeFileSync(join(dir, 'sub', `f${i}`), `content ${i}`, { mode });
        fs.utimesSync(join(dir, 'sub', `f${i}`), time, time);
      }
      fs.chmodSync(join(dir, 'sub'), mode | 0o100);
      return dir;
    };
    const digest = async (dir: string): Promise<string> =>
      (await writeErofs((await treeOf(dir)).root, fresh('i'))).digest;
    const first = await digest(make([1, 2, 3], 0o644, 1));
    expect(await digest(make([3, 1, 2], 0o600, 99))).toBe(first);
    const other = make([1, 2, 3], 0o644, 1);
    fs.chmodSync(join(other, 'sub/f1'), 0o755);
    expect(await digest(other)).not.toBe(first);
  });

  test('the digest is that of the file, and a changed file has another time', async () => {
    const times = await Promise.all(
      ['one', 'two'].map(async (text) => {
        const tree = new RootTree();
        tree.file('f', text, 0o644, VCAP);
        const image = fresh('image');
        const { digest, bytes } = await writeErofs(tree.root, image);
        const written = fs.readFileSync(image);
        expect(digest).toBe(`sha256:${createHash('sha256').update(written).digest('hex')}`);
        expect(bytes).toBe(written.length);
        const dump = execFileSync('dump.erofs', ['--path=/f', image]).toString();
        return /Timestamp: (.*)/.exec(dump)?.[1];
      }),
    );
    expect(times[0]).toBeDefined();
    expect(times[0]).not.toBe(times[1]);
  });

  test('sockets and pipes are left out with a finding', async () => {
    const dir = fresh('special');
    fs.mkdirSync(dir);
    fs.writeFileSync(join(dir, 'file'), '');
    execFileSync('mkfifo', [join(dir, 'pipe')]);
    const findings: ImageFinding[] = [];
    const tree = await treeOf(dir, (finding) => findings.push(finding));
    expect(listing(await roundTrip(tree)).map((line) => line.split(' ')[0])).toEqual(['/file']);
    expect(findings).toMatchObject([{ level: 'warning', code: 'special_file_skipped', file: 'pipe' }]);
  });

  test.each<[why: string, change: (path: string) => void]>([
    ['grew', (path) => fs.appendFileSync(path, 'x')],
    ['shrank', (path) => fs.truncateSync(path, 10)],
    ['went', (path) => fs.rmSync(path)],
  ])('a file that %s meanwhile is an error that names it', async (_why, change) => {
    const dir = fresh('changing');
    fs.mkdirSync(dir);
    const file = join(dir, 'file');
    fs.writeFileSync(file, Buffer.alloc(9000));
    const tree = await treeOf(dir);
    change(file);
    const refusal = await failure(() => writeErofs(tree.root, fresh('image')));
    expect(refusal.code).toBe('source_unreadable');
    expect(refusal.message).toContain(file);
  });

  test('a cancelled write stops', async () => {
    const tree = new RootTree();
    tree.file('f', 'x');
    await expect(writeErofs(tree.root, fresh('image'), AbortSignal.abort())).rejects.toThrow(/abort/);
  });

  test('the kernel reads the same', async () => {
    const dir = fresh('kernel');
    fs.mkdirSync(join(dir, 'a/b'), { recursive: true });
    for (let i = 0; i < 500; i++) fs.writeFileSync(join(dir, 'a', `file-${i}`), 'x'.repeat(i * 37));
    const image = fresh('image');
    await writeErofs((await treeOf(dir)).root, image);
    const at = fresh('mount');
    fs.mkdirSync(at);
    const mounted = spawnSync('mount', ['-t', 'erofs', '-o', 'loop,ro', image, at]);
    if (mounted.status !== 0) {
      console.log(`skipped: this host cannot mount erofs: ${mounted.stderr.toString().trim()}`);
      return;
    }
    try {
      expect(listing(at)).toEqual(listing(dir));
    } finally {
      execFileSync('umount', [at]);
    }
  });
});
