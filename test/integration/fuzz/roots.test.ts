/** Roots of library operating systems with bytes changed at random: read, or refused with a code; never more, never long. */
import { afterAll, beforeAll, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readCpio } from '../../../executor/images/cpio/read.js';
import { writeCpio } from '../../../executor/images/cpio/write.js';
import { readRofs } from '../../../executor/images/rofs/read.js';
import { writeRofs } from '../../../executor/images/rofs/write.js';
import { readTfs } from '../../../executor/images/tfs/read.js';
import { writeTfs } from '../../../executor/images/tfs/write.js';
import { fuzz, FUZZ_MS } from '../../support/fuzz.js';
import { sampleTree, scratch } from '../../support/guests.js';

let folder: Awaited<ReturnType<typeof scratch>>;
beforeAll(async () => {
  folder = await scratch();
});
afterAll(() => folder.remove());

type Write = (path: string) => Promise<unknown>;
test.each<[name: string, write: Write, read: (image: Buffer) => unknown]>([
  ['cpio', (path) => writeCpio(sampleTree().root, path), (image) => [...readCpio(image)]],
  ['tfs', (path) => writeTfs(sampleTree().root, path), readTfs],
  ['rofs', (path) => writeRofs(sampleTree().root, path), readRofs],
])(
  '%s',
  async (name, write, read) => {
    const path = join(folder.dir, name);
    await write(path);
    const good = await readFile(path);
    // Where the structure is: a byte of a file's content may change without anybody's notice.
    await fuzz(name, name === 'tfs' ? good : good.subarray(0, 64 * 1024), read);
  },
  FUZZ_MS,
);
