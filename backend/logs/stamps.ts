import { stamp, type Item } from './envelope.js';

/** Sources whose last stamp is remembered; beyond this the long silent ones are forgotten. */
const MAX_STAMPS = 2_000;

/** Times of envelopes, given when they are sent, so that a source's grow in the order in which they are read. */
export class Stamps {
  readonly #last = new Map<string, bigint>();

  of({ source: { source_id }, at }: Item): bigint {
    const last = this.#last.get(source_id);
    const timestamp = stamp(at, last);
    this.#last.set(source_id, timestamp);
    if (last === undefined && this.#last.size > MAX_STAMPS) this.#forgetOld();
    return timestamp;
  }

  /** Of the sources, the half that has been silent longest. */
  #forgetOld(): void {
    const oldest = [...this.#last].sort(([, a], [, b]) => (a < b ? -1 : 1)).slice(0, MAX_STAMPS / 2);
    for (const [source_id] of oldest) this.#last.delete(source_id);
  }
}
