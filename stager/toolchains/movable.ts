import { readElf } from '../../executor/images/elf.js';
import type { BuildContext } from './toolchain.js';

/** Whether the file is a program that can be loaded at any address. */
export function isMovable(path: string): boolean {
  return readElf(path)?.positionIndependent === true;
}

/**
 * A runtime that suits the machine: `first`, or where programs must be movable and it is not, the first of `others` that
 * is. Which one, and why, is said. Where there is none it stays `first`, and the suitability check has the last word.
 */
export function movableRuntime(
  { positionIndependent, progress }: Pick<BuildContext, 'positionIndependent' | 'progress'>,
  first: string,
  others: readonly string[],
): string {
  if (!positionIndependent || isMovable(first)) return first;
  const found = others.find(isMovable);
  if (found === undefined) return first;
  progress(`${first} is built for a fixed address, which the guest cannot load: ${found} is used`);
  return found;
}
