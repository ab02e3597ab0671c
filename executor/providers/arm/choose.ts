import { UnikError } from '../../../core/errors.js';
import type { Board } from './config.js';

/**
 * The smallest free board that is large enough; those that had trouble come last. Pure.
 * Throws insufficient_machines, insufficient_memory.
 */
export function chooseBoard(facts: {
  boards: readonly Board[];
  taken: ReadonlySet<string>;
  /** Why a board did not come up. */
  trouble: ReadonlyMap<string, string>;
  need_mb: number;
}): Board {
  const { boards, taken, trouble, need_mb } = facts;
  const large = boards.filter(({ memory_mb }) => memory_mb >= need_mb);
  if (large.length === 0) {
    const most = Math.max(...boards.map(({ memory_mb }) => memory_mb));
    throw new UnikError('insufficient_memory', `the machine needs ${need_mb} MB and the largest board has ${most} MB`);
  }
  const free = large.filter(({ id }) => !taken.has(id));
  const last = ({ id }: Board): number => (trouble.has(id) ? 1 : 0);
  const [best] = free.sort((a, b) => last(a) - last(b) || a.memory_mb - b.memory_mb);
  if (best) return best;
  throw new UnikError('insufficient_machines', `all ${large.length} boards with ${need_mb} MB are taken`);
}
