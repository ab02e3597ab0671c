import type { ImageFinding } from '../../executor/images/image.js';
import type { GuestName } from '../../executor/model.js';
import type { GuestChoice } from './guest.js';

export interface Picked {
  guest: GuestName;
  findings: ImageFinding[];
  /** For people: why this one, and why not a smaller one. */
  why: string;
}

/** What speaks against a guest that nobody asked for, although it might work: the application is to run, not to try. */
const DOUBTS = new Set(['starts_programs', 'function_unsupported']);

/** The first candidate that nothing speaks against; where there is none, the last, with what does. Pure. */
export function pickGuest(
  { candidates, asked, why }: GuestChoice,
  judge: (guest: GuestName) => ImageFinding[],
): Picked {
  const passed: string[] = [];
  for (const [index, guest] of candidates.entries()) {
    const findings = judge(guest);
    const against = findings.find((finding) => speaksAgainst(finding, asked));
    const isLast = index === candidates.length - 1;
    if (against && !isLast) {
      passed.push(`not ${guest}, as ${against.message}`);
      continue;
    }
    const reason =
      passed.length > 0 ? passed.join('; ') : asked || candidates.length === 1 ? why : 'the smallest that suits';
    const note: ImageFinding = { level: 'info', code: 'guest_chosen', message: `guest ${guest}: ${reason}` };
    return { guest, findings: asked || candidates.length === 1 ? findings : [note, ...findings], why: reason };
  }
  throw new TypeError('a choice has at least one candidate');
}

function speaksAgainst({ level, code }: ImageFinding, asked: boolean): boolean {
  return level === 'refused' || (!asked && level === 'warning' && DOUBTS.has(code));
}
