import { UnikError } from '../../core/errors.js';

/** Docker's rule: parts of lower-case letters and digits, joined by single `.`, `_`, `__` or dashes, and `/`. */
const PART = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const NAME = new RegExp(`^(${PART}(?:/${PART})*)(?::([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?$`);
const MAX_NAME = 255;

/** `name` becomes `name:latest`. Throws bad_request for what is no image name. */
export function normalizeName(text: string): string {
  const [, name, tag = 'latest'] = NAME.exec(text) ?? [];
  if (name === undefined || name.length > MAX_NAME) {
    throw new UnikError(
      'bad_request',
      `${JSON.stringify(text)} is not an image name: lower-case letters, digits, and . _ - / between them, then maybe :TAG`,
    );
  }
  return `${name}:${tag}`;
}

export function isName(text: string): boolean {
  return NAME.test(text);
}
