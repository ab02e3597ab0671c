/** Python for another processor: it cannot be asked, so its places are told by their names. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { hasCode, UnikError } from '../../core/errors.js';
import type { Arch } from '../../executor/model.js';

export const interpreterSchema = z.object({
  version: z.string(),
  executable: z.string(),
  stdlib: z.string(),
  extensions: z.string(),
  cacheTag: z.string(),
});
/** A Python: paths are those it has where it runs. */
export type Interpreter = z.infer<typeof interpreterSchema>;

/** Of the wheels that Debian 10 and all newer systems can load. */
const MANYLINUX = ['manylinux_2_28', 'manylinux_2_17', 'manylinux2014'];

/** The newest Python 3 below `root`, the distribution's before any other. Throws runtime_missing. */
export function foreignInterpreter(root: string): Interpreter {
  for (const prefix of ['/usr', '/usr/local']) {
    const minors = namesIn(join(root, prefix, 'bin')).flatMap((name) => /^python3\.(\d+)$/.exec(name)?.[1] ?? []);
    const minor = minors.sort((a, b) => Number(b) - Number(a))[0];
    if (minor === undefined) continue;
    const stdlib = `${prefix}/lib/python3.${minor}`;
    if (!namesIn(join(root, stdlib)).includes('os.py')) continue;
    return {
      ...{ version: `3.${minor}`, executable: `${prefix}/bin/python3.${minor}` },
      ...{ stdlib, extensions: `${stdlib}/lib-dynload`, cacheTag: `cpython-3${minor}` },
    };
  }
  throw new UnikError('runtime_missing', `${root} has no /usr/bin/python3.N with its library in /usr/lib/python3.N`);
}

/** pip's options for wheels of that interpreter on another processor; what comes only as source, pip then refuses. */
export function wheelsFor({ version }: Pick<Interpreter, 'version'>, arch: Arch): string[] {
  const platforms = MANYLINUX.flatMap((name) => ['--platform', `${name}_${arch}`]);
  return ['--only-binary=:all:', '--implementation', 'cp', '--python-version', version, ...platforms];
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (err) {
    if (hasCode(err, 'ENOENT')) return [];
    throw err;
  }
}
