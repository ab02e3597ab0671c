import type { Bench } from './bench.js';

/**
 * One fact about BBS, Locket or auctioneer, and the steps that show it. The same table runs against the real
 * components and the embedded ones.
 */
export interface Case {
  /** Unique; a sentence. */
  name: string;
  /** Where the fact is from: a file of the real component. */
  fact: string;
  /** Which control plane: one that converges every second (default), or one that does not while the case runs. */
  on?: 'quick' | 'quiet';
  /** Disturbs the others, so it runs after them by itself. */
  alone?: true;
  /** As long as Diego's own constants: started first. */
  long?: true;
  /** Throws when the fact does not hold. */
  steps(t: Bench): Promise<void>;
}
