import type { Exit, Joined } from '../../executor/model.js';

/** In the order of the tree, which is that in which a guest counts them. */
export function leavesOf<T>(tree: Joined<T>): T[] {
  return 'run' in tree ? [tree.run] : childrenOf(tree).flatMap(leavesOf);
}

/** The same tree with other leaves. */
export function mapLeaves<T, U>(tree: Joined<T>, change: (leaf: T) => U): Joined<U> {
  const all = (children: Joined<T>[]): Joined<U>[] => children.map((child) => mapLeaves(child, change));
  if ('run' in tree) return { run: change(tree.run) };
  if ('try' in tree) return { try: mapLeaves(tree.try, change) };
  if ('parallel' in tree) return { parallel: all(tree.parallel) };
  if ('serial' in tree) return { serial: all(tree.serial) };
  if ('codependent' in tree) return { codependent: all(tree.codependent) };
  return { joined: all(tree.joined) };
}

function childrenOf<T>(tree: Exclude<Joined<T>, { run: T }>): Joined<T>[] {
  if ('try' in tree) return [tree.try];
  if ('parallel' in tree) return tree.parallel;
  if ('serial' in tree) return tree.serial;
  return 'codependent' in tree ? tree.codependent : tree.joined;
}

/**
 * Why a tree failed, in Diego's words: what its steps say, joined as executor's `multiErrorFormat` does. `undefined`: it
 * did not fail. A program that was ended by others, or never began, has failed without a word.
 */
export function failureWords(
  tree: Joined<{ log_source: string }>,
  ended: NonNullable<Exit['programs']>,
  suffix = '',
): string | undefined {
  let number = 0;
  const codes = new Map(ended.map(({ program, code }) => [program, code]));
  const words = (step: Joined<{ log_source: string }>): string | undefined => {
    if ('run' in step) {
      const code = codes.get(number++);
      if (code === 0) return undefined;
      return code === undefined ? '' : `${step.run.log_source}: Exited with status ${code}${suffix}`;
    }
    const all = childrenOf(step).map((child) => {
      const first = number;
      const own = words(child);
      const byItself = [...codes.keys()].some((program) => program >= first && program < number);
      if (own === undefined && 'codependent' in step) return byItself ? 'Codependent step exited' : '';
      return own;
    });
    if ('try' in step) return undefined;
    const failures = all.filter((one) => one !== undefined);
    if (failures.length === 0) return undefined;
    return failures.filter((one) => one !== '').join('; ');
  };
  return words(tree);
}
