import type { Executor } from '../../../executor/executor.js';
import type { Room } from '../containers.js';
import type { Demand } from '../model.js';
import { admit, roomLeft, totalRoom, type Claim, type Ledger } from './room.js';
import { claimOf } from './spec.js';

/** Room that was promised to containers which the executor does not count yet. */
export class Promises {
  readonly #demands = new Map<string, Demand>();

  constructor(
    private readonly executor: Pick<Executor, 'capacity' | 'get'>,
    /** What a machine costs on top of its application's memory, MB. */
    private readonly overheadMb: (memory_mb: number) => number,
  ) {}

  /** Throws when there is no room for it; takes nothing yet. */
  check(guid: string, demand: Demand): void {
    admit(guid, claimOf(demand), this.#ledger());
  }

  make(guid: string, demand: Demand): void {
    this.#demands.set(guid, demand);
  }

  /** It has ended without a machine. */
  release(guid: string): void {
    this.#demands.delete(guid);
  }

  room(): { total: Room; available: Room } {
    const ledger = this.#ledger();
    return { total: totalRoom(ledger), available: roomLeft(ledger) };
  }

  #ledger(): Ledger {
    const { executor, overheadMb } = this;
    const claims: Claim[] = [];
    for (const [guid, demand] of this.#demands) {
      // From its first moment the executor counts an instance itself.
      if (executor.get(guid)) this.#demands.delete(guid);
      else claims.push(claimOf(demand));
    }
    return { report: executor.capacity(), claims, overheadMb };
  }
}
