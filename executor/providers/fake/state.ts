import type { MachineHandle, StreamName } from '../../model.js';
import type { MachineExit } from '../provider.js';
import type { Knobs } from './knobs.js';

/** All there is of a fake machine. Everything it does follows from this and the time, so it outlives our process. */
export interface FakeState {
  handle: MachineHandle;
  knobs: Knobs;
  name: string;
  /** What the application was told. */
  env: Record<string, string>;
  powered_on_at: number;
  /** When SIGTERM reached it. */
  term_at?: number;
  /** It was asked for a result file. */
  wants_result?: boolean;
  /** When its power is cut. */
  cut_at?: number;
}

export interface Fate {
  at: number;
  exit: MachineExit;
}

/** How and when the machine ends, as far as is known now; undefined: it goes on. */
export function fate(state: FakeState): Fate | undefined {
  const { knobs } = state;
  const result = state.wants_result ? { result: { content: knobs.result } } : {};
  const ends: Fate[] = [];
  if (knobs.exit_after_ms >= 0) {
    const message = `the application ended with exit status ${knobs.exit_code}`;
    ends.push({
      at: state.powered_on_at + knobs.exit_after_ms,
      exit: { reason: 'exited', code: knobs.exit_code, message, ...result },
    });
  }
  if (state.term_at !== undefined && !knobs.ignores_term) {
    const message = 'the application ended after SIGTERM';
    ends.push({ at: state.term_at, exit: { reason: 'exited', code: 0, message, ...result } });
  }
  if (state.cut_at !== undefined) {
    ends.push({
      at: state.cut_at,
      exit: { reason: 'killed', code: 137, signal: 'SIGKILL', message: 'the power of the machine was cut' },
    });
  }
  return ends.sort((a, b) => a.at - b.at)[0];
}

export interface Utterance {
  at: number;
  stream: StreamName;
  text: string;
}

/** What the machine says by itself from power-on, in order of time; SIGTERM's answer is `lastWords`. */
export function* transcript(state: FakeState): Generator<Utterance> {
  const { knobs, powered_on_at: start } = state;
  yield { at: start, stream: 'kernel', text: `fake: ${state.name} powered on\n` };
  if (knobs.stdout) yield { at: start, stream: 'stdout', text: knobs.stdout };
  if (knobs.stderr) yield { at: start, stream: 'stderr', text: knobs.stderr };
  for (let n = 1; knobs.lines < 0 || n <= knobs.lines; n++) {
    yield { at: start + Math.floor((n * 1000) / knobs.lines_per_s), stream: 'stdout', text: `line ${n}\n` };
  }
}

/** What it says when SIGTERM ends it. */
export const lastWords = 'goodbye\n';
