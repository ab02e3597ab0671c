/** `label_selector`: `a=b,c!=d,e in (x,y),f notin (z),g,!h`; all must hold. */
import { cfError } from './errors.js';
import type { Strings } from './model.js';

type Fits = (labels: Strings) => boolean;

const KEY = '[A-Za-z0-9]([A-Za-z0-9_./-]*[A-Za-z0-9])?';
const VALUE = '([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?';
const SET = new RegExp(`^(?<key>${KEY})\\s+(?<word>in|notin)\\s*\\((?<values>[^()]*)\\)$`);
const EQUAL = new RegExp(`^(?<key>${KEY})\\s*(?<word>==?|!=)\\s*(?<value>${VALUE})$`);
const EXISTS = new RegExp(`^(?<not>!?)(?<key>${KEY})$`);

export function parseSelector(text: string): Fits {
  // Not at the commas between parentheses.
  const parts = text.split(/,(?![^(]*\))/).map((part) => part.trim());
  const all = parts.map(requirement);
  return (labels) => all.every((fits) => fits(labels));
}

function requirement(text: string): Fits {
  const has = (labels: Strings, key: string): boolean => Object.hasOwn(labels, key);
  const set = SET.exec(text)?.groups;
  if (set) {
    const { key = '', word, values = '' } = set;
    const among = values.split(',').map((value) => value.trim());
    return (labels) => (has(labels, key) && among.includes(labels[key] ?? '')) === (word === 'in');
  }
  const equal = EQUAL.exec(text)?.groups;
  if (equal) {
    const { key = '', word, value } = equal;
    return (labels) => (has(labels, key) && labels[key] === value) === (word !== '!=');
  }
  const exists = EXISTS.exec(text)?.groups;
  if (exists) {
    const { key = '', not } = exists;
    return (labels) => has(labels, key) === (not !== '!');
  }
  throw cfError('BadQueryParameter', `Invalid label_selector value: ${JSON.stringify(text)}`);
}
