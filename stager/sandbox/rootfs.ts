import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, realpath, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { messageOf, UnikError } from '../../core/errors.js';
import { run } from '../../core/process.js';

/** A root tree of a whole distribution. */
const UNPACK_MS = 10 * 60_000;

/**
 * The root tree that the operator names: a folder as it is, or a tar (compressed or not), unpacked once into `folder` under
 * the sha256 of its bytes; those of other tars there are removed. Devices are left out, files are readable by everybody:
 * what must not be seen, the sandbox does not show. Throws config_invalid, disk_full.
 */
export async function rootTree(named: string, folder: string): Promise<string> {
  const found = await stat(named).catch((err: unknown) => {
    throw new UnikError('config_invalid', `staging.rootfs ${named}: ${messageOf(err)}`, { cause: err });
  });
  if (found.isDirectory()) return named;
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const hash = createHash('sha256');
  await pipeline(createReadStream(named), hash);
  const key = hash.digest('hex');
  const there = await readdir(folder);
  for (const name of there.filter((name) => name !== key)) await rm(join(folder, name), { recursive: true });
  const home = join(await realpath(folder), key);
  if (there.includes(key)) return home;

  const part = `${home}.${randomBytes(6).toString('hex')}`;
  try {
    await mkdir(part);
    const args = ['-x', '-f', named, '-C', part, '--no-same-owner', '--exclude=./dev/*', '--exclude=dev/*'];
    await run('tar', args, { code: 'config_invalid', timeout_ms: UNPACK_MS });
    await run('chmod', ['-R', 'a+rX,u+w', part], { code: 'internal', timeout_ms: UNPACK_MS });
    await rename(part, home);
    return home;
  } catch (err) {
    await rm(part, { recursive: true, force: true });
    throw err;
  }
}
