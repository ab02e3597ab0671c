import { UnikError } from '../core/errors.js';
import type { Arch } from '../executor/model.js';

export interface NativeModule {
  /** In the image. */
  place: string;
  arch: Arch | 'other';
}

/** Of packages that come as one for each processor, such as `@img/sharp-linux-x64`, and of prebuilt files. */
const PROCESSOR =
  /[-_.](musl|linuxmusl|linux|x64|x86_64|amd64|ia32|arm|arm64|aarch64|riscv64|ppc64|s390x)(?=$|[-_./])/g;

/**
 * An application may carry native modules for many processors; a package that has some, and none for the one it is
 * built for, was installed or compiled for another and would fail at its first use. Throws arch_mismatch, naming it.
 */
export function checkModules(modules: readonly NativeModule[], arch: Arch): void {
  const fitting = new Set(modules.filter((one) => one.arch === arch).map(({ place }) => packageOf(place)));
  const foreign = modules.find((one) => one.arch !== arch && !fitting.has(packageOf(one.place)));
  if (foreign === undefined) return;
  throw new UnikError(
    'arch_mismatch',
    `${foreign.place} is native code for ${foreign.arch === 'other' ? 'another processor' : foreign.arch}, and its package has none ` +
      `for ${arch}: what has to be compiled cannot be built here. Ship the application with its modules for ${arch}, or use a package without native code`,
  );
}

function packageOf(place: string): string {
  const parts = place.split('/');
  const at = Math.max(parts.lastIndexOf('node_modules'), parts.lastIndexOf('.python_packages'));
  if (at < 0) return parts.slice(0, -1).join('/').replace(PROCESSOR, '');
  const names = parts[at + 1]?.startsWith('@') ? 2 : 1;
  return parts
    .slice(0, at + 1 + names)
    .join('/')
    .replace(PROCESSOR, '');
}
