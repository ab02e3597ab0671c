import { UnikError } from '../../../core/errors.js';

/** How a fake machine behaves. Times in milliseconds since power-on unless said otherwise. */
export interface Knobs {
  /** How long `start` takes. */
  start_delay_ms: number;
  /** `start` fails with `machine_failed` and this text. */
  fail_start: string;
  /** When it begins to listen. */
  boot_delay_ms: number;
  /** When it ends by itself; -1: never. */
  exit_after_ms: number;
  exit_code: number;
  /** It lives but never listens. */
  deaf: boolean;
  ignores_term: boolean;
  /** Printed at power-on. */
  stdout: string;
  stderr: string;
  /** Then `line 1`, `line 2`, ... on standard output: how many (-1: for ever) and how many a second. */
  lines: number;
  lines_per_s: number;
  /** Content of the result file, for those who ask for one. */
  result: string;
}

export const KNOBS: Knobs = {
  start_delay_ms: 0,
  fail_start: '',
  boot_delay_ms: 0,
  exit_after_ms: -1,
  exit_code: 0,
  deaf: false,
  ignores_term: false,
  stdout: '',
  stderr: '',
  lines: 0,
  lines_per_s: 10,
  result: '',
};

/**
 * Knobs are set by the instance's environment, so that `unik run --provider fake -e FAKE_EXIT_CODE=3` works: `FAKE_`
 * and the knob's name in capitals. Unknown names and wrong values: `bad_request`.
 */
export function readKnobs(env: Record<string, string>, defaults: Partial<Knobs>): Knobs {
  const knobs: Record<string, string | number | boolean> = { ...KNOBS, ...defaults };
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith('FAKE_')) continue;
    const knob = name.slice('FAKE_'.length).toLowerCase();
    const known = knobs[knob];
    if (known === undefined) throw new UnikError('bad_request', `the fake provider has no knob ${name}`);
    knobs[knob] = parse(name, value, known);
  }
  return knobs as unknown as Knobs;
}

function parse(name: string, value: string, like: string | number | boolean): string | number | boolean {
  if (typeof like === 'string') return value;
  if (typeof like === 'boolean') return value === 'true' || value === '1';
  const number = Number(value);
  if (value === '' || !Number.isInteger(number)) throw new UnikError('bad_request', `${name} must be a whole number`);
  return number;
}
