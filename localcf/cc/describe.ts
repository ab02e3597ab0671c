/** What is wrong with a body, in CC's style: `Name must be a string`, `Unknown field(s): 'x'`. */
import type { z } from 'zod';

export const describe = (error: z.ZodError): string[] => error.issues.map(line);

function line(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') {
    const at = issue.path.length > 0 ? `${subject(issue.path)} has unknown` : 'Unknown';
    return `${at} field(s): ${issue.keys.map((key) => `'${key}'`).join(', ')}`;
  }
  if (issue.code === 'custom') return issue.message;
  if (issue.code === 'invalid_type') {
    if (issue.input === undefined && issue.message.includes('received undefined'))
      return `${subject(issue.path)} can't be blank`;
    return `${subject(issue.path)} must be ${article(issue.expected)}`;
  }
  if (issue.code === 'invalid_value')
    return `${subject(issue.path)} must be one of ${issue.values.map((value) => `'${String(value)}'`).join(', ')}`;
  if (issue.code === 'too_small' && issue.origin === 'string') return `${subject(issue.path)} can't be blank`;
  if (issue.code === 'too_small') return `${subject(issue.path)} must be greater than or equal to ${issue.minimum}`;
  if (issue.code === 'too_big' && issue.origin === 'string')
    return `${subject(issue.path)} is too long (maximum is ${issue.maximum} characters)`;
  if (issue.code === 'too_big') return `${subject(issue.path)} must be less than or equal to ${issue.maximum}`;
  return `${subject(issue.path)} is invalid`;
}

const article = (type: string): string =>
  ({ object: 'an object', array: 'an array', int: 'an integer', number: 'a number', record: 'an object' })[type] ??
  `a ${type}`;

/** `health_check`, `data`, `timeout` to `Health check data timeout`. */
function subject(path: readonly PropertyKey[]): string {
  const words = path.map((part) => String(part).replaceAll('_', ' ')).join(' ');
  return words === '' ? 'Request body' : words.charAt(0).toUpperCase() + words.slice(1);
}
