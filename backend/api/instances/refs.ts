import { UnikError } from '../../../core/errors.js';

/** How many characters of an id people are shown. */
export const SHORT_ID = 12;

interface Named {
  id: string;
  name: string;
}

/**
 * The one that `ref` means: its exact name, else its id or a unique prefix of it, else a unique prefix of its name.
 * Never a guess: two candidates are `name_ambiguous`, listing them; none is `not_found`.
 */
export function resolveRef<T extends Named>(ref: string, all: readonly T[]): T {
  const exact = all.find((one) => one.name === ref);
  if (exact) return exact;
  const byId = all.filter((one) => one.id.startsWith(ref));
  const candidates = byId.length > 0 ? byId : all.filter((one) => one.name.startsWith(ref));
  const [found, ...others] = candidates;
  if (!found) throw new UnikError('not_found', `there is no instance "${ref}"`);
  if (others.length > 0) {
    const list = candidates.map((one) => `${one.name} (${one.id.slice(0, SHORT_ID)})`).join(', ');
    throw new UnikError('name_ambiguous', `"${ref}" may mean any of: ${list}`);
  }
  return found;
}
