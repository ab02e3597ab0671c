import { cpSync, mkdirSync, realpathSync, symlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { libraryClosure } from '../../executor/images/closure.js';

const COREUTILS = 'cat dirname ls mkdir rm cp mv chmod basename env head tail sort uname readlink id sleep'.split(' ');

/**
 * A root tree with bash, coreutils and tar and the libraries of just these: less than any stack of Cloud Foundry has. No
 * Node.js, no C++ library, no QEMU, no compiler.
 */
export function bareRoot(into: string): string {
  const programs = ['bash', 'tar', ...COREUTILS].map((name) => join('/usr/bin', name));
  for (const folder of ['usr/bin', 'proc', 'dev', 'tmp', 'etc', 'home/vcap'])
    mkdirSync(join(into, folder), { recursive: true });
  for (const program of programs) cpSync(realpathSync(program), join(into, 'usr/bin', basename(program)));
  symlinkSync('bash', join(into, 'usr/bin/sh'));
  symlinkSync('usr/bin', join(into, 'bin'));
  for (const library of libraryClosure(
    programs.map((path) => realpathSync(path)),
    { arch: 'x86_64' },
  )) {
    if (/libstdc|libgcc/.test(library)) continue;
    const at = join(into, library);
    mkdirSync(dirname(at), { recursive: true });
    cpSync(realpathSync(library), at);
  }
  return into;
}
