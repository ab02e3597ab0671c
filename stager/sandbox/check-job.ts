import { lstat, realpath } from 'node:fs/promises';
import { isAbsolute, normalize, resolve } from 'node:path';
import { UnikError } from '../../core/errors.js';
import type { SandboxJob, SandboxMount } from './sandbox.js';

/** Where no mount of a job may lie: what the sandbox itself makes, and the read-only root. */
const TAKEN = ['/proc', '/dev', '/sys', '/etc', '/usr', '/bin', '/sbin', '/lib', '/lib64'];

/** Throws bad_request for a job that cannot be meant, naming the field. */
export async function checkJob(job: SandboxJob): Promise<void> {
  if (!/^[\w][\w.-]{0,127}$/.test(job.id)) throw wrong('id', job.id, 'letters, digits, dot, dash and underscore');
  if (job.argv.length === 0 || job.argv[0] === '') throw wrong('argv', job.argv, 'a program');
  const strings = [...job.argv, job.cwd, ...Object.entries(job.env).flat(), ...job.mounts.map(({ inside }) => inside)];
  if (strings.some((text) => text.includes('\0'))) throw wrong('argv or env', '...', 'text without zero bytes');
  const unnamed = Object.keys(job.env).find((name) => name === '' || name.includes('='));
  if (unnamed !== undefined) throw wrong('env', unnamed, 'a name without `=`');
  if (!isPlain(job.cwd)) throw wrong('cwd', job.cwd, 'an absolute path without `..`');
  for (const [name, value] of Object.entries(job.limits)) {
    if (!Number.isSafeInteger(value) || value < 1) throw wrong(`limits.${name}`, value, 'a whole number above 0');
  }
  for (const mount of job.mounts) await checkMount(mount);
}

async function checkMount({ host, inside }: SandboxMount): Promise<void> {
  const taken = TAKEN.find((path) => inside === path || inside.startsWith(`${path}/`));
  if (!isPlain(inside) || inside === '/' || taken !== undefined) {
    throw wrong('mounts.inside', inside, `an absolute path outside ${TAKEN.join(', ')}`);
  }
  if (!isAbsolute(host) || (await realpath(host).catch(() => undefined)) !== resolve(host)) {
    throw wrong('mounts.host', host, 'the real path of an existing file or folder; a link is not followed');
  }
  const found = await lstat(host);
  if (!found.isDirectory() && !found.isFile()) throw wrong('mounts.host', host, 'a file or a folder');
}

function isPlain(path: string): boolean {
  return isAbsolute(path) && normalize(path) === path;
}

function wrong(field: string, given: unknown, wanted: string): UnikError {
  return new UnikError('bad_request', `sandbox job: ${field} is ${JSON.stringify(given)}, expected ${wanted}`);
}
