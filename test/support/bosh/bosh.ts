/** The real `bosh`, with a home of its own and no network. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { peer } from '../peers.js';

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** Its cache and its configuration. */
export const makeHome = (): string => mkdtempSync(join(tmpdir(), 'bosh-'));

export function bosh(home: string, args: readonly string[], cwd?: string): Ran {
  const offline = process.getuid?.() === 0 ? ['unshare', '--net'] : ['unshare', '--user', '--map-root-user', '--net'];
  const [file = '', ...words] = [...offline, peer('bosh'), '--non-interactive', ...args];
  const done = spawnSync(file, words, {
    ...{ encoding: 'utf8', timeout: 180_000, maxBuffer: 64 << 20, ...(cwd === undefined ? {} : { cwd }) },
    env: { PATH: process.env['PATH'], HOME: home },
  });
  return { code: done.status ?? -1, stdout: done.stdout, stderr: done.stderr };
}
