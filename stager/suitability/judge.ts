import { ERRORS, UnikError, type ErrorCode } from '../../core/errors.js';
import type { ImageFinding } from '../../executor/images/image.js';
import { launchers, packages, port, web, workers } from './commands.js';
import { position, processes, setuid, unsupported } from './programs.js';
import type { Rule, Subject } from './subject.js';

const RULES: readonly Rule[] = [web, launchers, workers, position, processes, unsupported, packages, port, setuid];

/** What speaks against running this on the chosen guest, worst first. Pure. */
export function judge(subject: Subject): ImageFinding[] {
  const rank = { refused: 0, warning: 1, info: 2 };
  return RULES.flatMap((rule) => rule(subject)).sort((a, b) => rank[a.level] - rank[b.level]);
}

/** The first refusal as the error that ends staging; undefined when there is none. */
export function refusalOf(findings: readonly ImageFinding[]): UnikError | undefined {
  const refused = findings.filter(({ level }) => level === 'refused');
  const [first] = refused;
  if (first === undefined) return undefined;
  const code: ErrorCode = Object.hasOwn(ERRORS, first.code) ? (first.code as ErrorCode) : 'internal';
  return new UnikError(code, refused.map(({ message }) => message).join('; '));
}

/** One finding as a line for people. */
export function findingLine({ level, message, remedy }: ImageFinding): string {
  const word = { refused: 'Refused', warning: 'Warning', info: 'Note' }[level];
  return `${word}: ${message}${remedy === undefined || level === 'info' ? '' : `. ${remedy}`}`;
}
