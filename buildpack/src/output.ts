import { UnikError, toUnikError } from '../../core/errors.js';
import { leaveNote } from '../../stager/failure-note.js';

const INDENT = '       ';

/** A line of the build as a buildpack says it: what happens next stands out, what was found is set in. */
export function outputLine(line: string): string {
  if (/^(Warning|Refused): /.test(line))
    return `${INDENT}**${line.replace(': ', '** ')}`.replace(/\*\*(\w+)/, (all) => all.toUpperCase());
  if (/^(UniK buildpack|Application|Packing|Image)\b/.test(line)) return `-----> ${line}`;
  return `${INDENT}${line}`;
}

/** Why it ends here and what to do, for the staging log. */
export function errorLines(err: unknown): string[] {
  const error: UnikError = toUnikError(err);
  const [what = '', ...details] = error.message.split('\n');
  return [
    `${INDENT}**ERROR** ${what} (${error.code})`,
    ...details.map((line) => `${INDENT}  ${line}`),
    `${INDENT}fix: ${error.hint}`,
  ];
}

export type Say = (line: string) => void;

/** Runs a step to its end: its lines on standard output, a failure as lines and exit status 1. */
export async function runStep(step: (say: Say) => Promise<void>): Promise<void> {
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  try {
    await step((line) => print(outputLine(line)));
  } catch (err) {
    for (const line of errorLines(err)) print(line);
    if (toUnikError(err).code === 'internal' && err instanceof Error) print(err.stack ?? '');
    await leaveNote(process.env, toUnikError(err));
    process.exitCode = 1;
  }
}
