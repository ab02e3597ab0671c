import type { Clock } from '../../../core/clock.js';
import type { Log } from '../../../core/log.js';
import { DOOR_PORT } from '../../remote/door.js';
import { takesConnection } from '../../remote/forward.js';
import { neededFiles } from './boot-files.js';
import type { ArmConfig, Board } from './config.js';
import type { Power } from './power.js';

const DOOR_MS = 1_500;
/** A board that was seen off is seen off twice, so that a hook's slip ends nothing. */
const TIMES_OFF = 2;

interface Watch {
  fetched: Set<string>;
  /** When it was first looked at. */
  since?: number;
  /** When its door was last seen. */
  door_at?: number;
  times_off: number;
}

/** How a board that ran is known to run no more. */
export interface Loss {
  /** As the operator is told. */
  trouble: string;
  /** It hangs, and its power is on. */
  silent_ms?: number;
}

/** What is known of boards at work and kept nowhere: what they have fetched, and when they were last seen. */
export class Watches {
  readonly #watches = new Map<string, Watch>();

  constructor(private readonly parts: { config: ArmConfig; clock: Clock; log: Log }) {}

  /** Whatever it runs next, it begins anew. */
  forget(board: Board): void {
    this.#watches.delete(board.id);
  }

  hasAsked(board: Board): boolean {
    return this.#of(board).fetched.size > 0;
  }

  /** It fetched this file. True: it now has all that its loader needs. */
  fetched(board: Board, file: string): boolean {
    const { fetched } = this.#of(board);
    fetched.add(file);
    return neededFiles(board).every((name) => fetched.has(name));
  }

  /** Looks at a board that runs a machine. Undefined: it is there, for all we know. */
  async look(board: Board, power: Power): Promise<Loss | undefined> {
    const { log, config, clock } = this.parts;
    const watch = this.#of(board);
    try {
      watch.times_off = (await power.isOn()) === false ? watch.times_off + 1 : 0;
    } catch (err) {
      log.warn({ err, board: board.id }, 'board.power-unknown');
    }
    if (watch.times_off >= TIMES_OFF) return { trouble: 'its power went off while it ran' };
    const there = { host: board.address, port: DOOR_PORT, timeout_ms: DOOR_MS };
    if (await takesConnection(there, new AbortController().signal)) watch.door_at = clock.now();
    watch.since ??= clock.now();
    // One that has not opened its door yet boots, which takes about as long as its loading may.
    const patience_s = watch.door_at === undefined ? config.load_timeout_s : config.lost_after_s;
    const silent_ms = clock.now() - (watch.door_at ?? watch.since);
    if (silent_ms < patience_s * 1000) return undefined;
    return { trouble: `it was silent for ${Math.round(silent_ms / 1000)} s while it ran`, silent_ms };
  }

  #of(board: Board): Watch {
    const known = this.#watches.get(board.id);
    if (known) return known;
    const made: Watch = { fetched: new Set(), times_off: 0 };
    this.#watches.set(board.id, made);
    return made;
  }
}
