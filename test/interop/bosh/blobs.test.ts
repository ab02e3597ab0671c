/** Blobs and sources of the release, made twice: the same bytes, whatever the hour, the zone and the mask of files. */
import { expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { release } from '../../support/bosh/templates.js';
import { fillRelease } from '../../support/bosh/vm.js';

/** Path to mode and digest, of all files below blobs/ and src/. */
function digests(): Record<string, string> {
  const files = ['blobs', 'src'].flatMap((folder) =>
    readdirSync(join(release, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name)),
  );
  return Object.fromEntries(
    files.sort().map((file) => {
      const digest = createHash('sha256').update(readFileSync(file)).digest('hex');
      return [file.slice(release.length + 1), `${(statSync(file).mode & 0o777).toString(8)} ${digest}`];
    }),
  );
}

test('made twice, the same bytes', () => {
  fillRelease();
  const first = digests();
  expect(Object.keys(first).length).toBeGreaterThan(10);
  fillRelease({ TZ: 'Pacific/Auckland', LC_ALL: 'C' });
  expect(digests()).toEqual(first);
}, 900_000);
