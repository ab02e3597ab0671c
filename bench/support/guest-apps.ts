import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { GuestName } from '../../executor/model.js';

const exec = promisify(execFile);
const FIXTURES = join(process.cwd(), 'test/fixtures');

/** One application, and what a container is told to run of it. */
export interface GuestApp {
  source: string;
  memory_mb: number;
  /** The program that it is: its own, or its runtime. */
  program: string;
  argv: string[];
  guests: readonly GuestName[];
}

const ANY: readonly GuestName[] = ['linux', 'unikraft', 'nanos'];

/** Makes the applications below `dir`; programs of scripts are looked for on `path`. */
export async function makeApps(dir: string, path: string): Promise<Record<string, GuestApp>> {
  const [c, go] = [join(dir, 'c'), join(dir, 'go')];
  for (const folder of [c, go]) await mkdir(folder, { recursive: true });
  // One file without libraries: the same bytes everywhere.
  const flags = ['-O1', '-static-pie', '-fPIE'];
  await exec('gcc', [...flags, '-o', join(c, 'server'), join(FIXTURES, 'guests/env-server.c')]);
  const order = { cwd: join(FIXTURES, 'apps/go'), env: { ...process.env, CGO_ENABLED: '0' } };
  await exec('go', ['build', '-buildmode=pie', '-o', join(go, 'server'), '.'], order);
  const which = async (name: string): Promise<string> =>
    (await exec('which', [name], { env: { PATH: path } })).stdout.trim();
  const [node, python, busybox] = await Promise.all(['node', 'python3', 'busybox'].map(which));
  const app = (name: string): string => join(FIXTURES, 'apps', name);
  const made = (source: string, memory_mb: number, argv: (string | undefined)[]): GuestApp => {
    const words = argv.map((word) => word ?? '');
    return { source, memory_mb, program: words[0] ?? '', argv: words, guests: ANY };
  };
  return {
    c: { ...made(c, 32, [join(c, 'server')]), guests: [...ANY, 'osv'] },
    go: made(go, 64, [join(go, 'server')]),
    node: made(app('node-bare'), 256, [node, 'server.js']),
    python: made(app('python'), 96, [python, 'app.py']),
    static: made(app('static'), 32, [busybox, 'httpd', '-f', '-p', '8080']),
  };
}
