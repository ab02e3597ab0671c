import { ERRORS } from '../../../core/errors.js';

/**
 * Why staging failed, from what the builder wrote: the last line that ends with one of our codes, and what mends it.
 * Undefined: another buildpack failed, whose lines say it.
 */
export function whyOf(lines: readonly string[]): string | undefined {
  const at = lines.findLastIndex((line) => Object.hasOwn(ERRORS, /\(([a-z_]+)\)\s*$/.exec(line)?.[1] ?? ''));
  const line = lines[at];
  if (line === undefined) return undefined;
  const fix = lines.slice(at + 1, at + 3).find((one) => /^\s*fix: /i.test(one));
  return [line, ...(fix === undefined ? [] : [fix])].map((one) => one.trim().replace(/^\*\*ERROR\*\* /, '')).join('; ');
}

/** The same, where our cell has put it before Diego's own words (stager `failure-note.ts`). */
export function whyIn(failure_reason: string): string | undefined {
  const [, why, code = ''] = /^(.*\(([a-z_]+)\) Fix: .*?)\s+STG: Exited with status \d+$/s.exec(failure_reason) ?? [];
  return Object.hasOwn(ERRORS, code) ? why : undefined;
}
