/**
 * What blobs are made by: the same recipe of the same parts gives the same bytes. config/sources.yml keeps its digest, so
 * that a test tells a changed recipe from blobs that were made by it.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { PACKAGES } from '../../scripts/buildpack-runtime.mjs';
import { PARTS } from '../../scripts/guest-init.mjs';

export function recipe() {
  const hash = createHash('sha256');
  for (const name of ['add-blobs.mjs', 'programs.mjs']) hash.update(readFileSync(new URL(name, import.meta.url)));
  return hash.update(`${PARTS}\n${JSON.stringify(PACKAGES.node)}`).digest('hex');
}
