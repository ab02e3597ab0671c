import { afterAll, beforeAll, expect, test } from '@jest/globals';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packTar } from '../../../stager/pack-tar.js';
import { unpackAny } from '../../support/buildpack.js';

let work: string;
beforeAll(() => {
  work = fs.mkdtempSync(join(tmpdir(), 'unik-pack-'));
});
afterAll(() => fs.rmSync(work, { recursive: true, force: true }));

test('folders and texts go out and come in again, the same bytes each time', async () => {
  const from = join(work, 'from');
  fs.mkdirSync(join(from, 'sub/empty'), { recursive: true });
  fs.writeFileSync(join(from, 'sub/run'), 'x', { mode: 0o700 });
  fs.symlinkSync('sub/run', join(from, 'link'));
  const write = async (name: string, touched: Date): Promise<Buffer> => {
    fs.utimesSync(join(from, 'sub/run'), touched, touched);
    const out = fs.createWriteStream(join(work, name));
    const parts = [
      { name: './text', text: 'hello' },
      { name: './app', dir: from },
    ];
    await packTar(parts, out, { mtime: new Date(0), quick: true });
    return fs.readFileSync(join(work, name));
  };
  const one = await write('one.tgz', new Date(1e12));
  expect((await write('two.tgz', new Date(2e12))).equals(one)).toBe(true);

  const into = join(work, 'into');
  fs.mkdirSync(into);
  await unpackAny(join(work, 'one.tgz'), into);
  expect(fs.readdirSync(into, { recursive: true, encoding: 'utf8' }).sort()).toEqual(
    ['app', 'app/link', 'app/sub', 'app/sub/empty', 'app/sub/run', 'text'].sort(),
  );
  expect(fs.readFileSync(join(into, 'app/link'), 'utf8')).toBe('x');
  expect(fs.statSync(join(into, 'app/sub/run')).mode & 0o777).toBe(0o755);
});

test('a reader that goes away ends it', async () => {
  const out = fs.createWriteStream('/dev/full');
  await expect(packTar([{ name: './text', text: 'x'.repeat(1e6) }], out)).rejects.toThrow(/ENOSPC|no space/);
});
