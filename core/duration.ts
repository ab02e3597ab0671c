import { UnikError } from './errors.js';

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Milliseconds of a duration as Go writes it: `30s`, `1m30s`, `1.5h`, `500ms`. Throws bad_request. */
export function parseDuration(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text)
    throw new UnikError('bad_request', `${JSON.stringify(text)} is not a duration such as 30s or 1m30s`);
  return Math.round(parts.reduce((sum, [, amount, unit = '']) => sum + Number(amount) * (UNITS[unit] ?? 0), 0));
}
