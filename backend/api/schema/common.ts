import { z } from 'zod';
import { ERRORS, type ErrorCode } from '../../../core/errors.js';

/** Milliseconds since the epoch. */
export const millis = z.number().int().nonnegative();

/** Every code of the table. */
export const ERROR_CODES = Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]];

/** Every error reply, and the last line of a stream that failed (under `error`). */
export const errorBody = z.strictObject({
  code: z.enum(ERROR_CODES),
  message: z.string(),
  hint: z.string(),
  owner: z.enum(['user', 'operator', 'platform']),
});
export type ErrorBody = z.infer<typeof errorBody>;

/** The line that ends a stream which failed after its first byte. */
export const streamError = z.strictObject({ error: errorBody });

/** A flag in a query string: `?follow=true`, `?follow=1` or just `?follow`. */
export const flag = z
  .enum(['', '0', '1', 'true', 'false'])
  .transform((text) => text !== '0' && text !== 'false')
  .optional();

/** A number in a query string. */
export const queryInteger = z
  .string()
  .regex(/^\d{1,15}$/)
  .transform(Number)
  .optional();

export const finding = z.strictObject({
  name: z.string(),
  status: z.enum(['ok', 'warning', 'error']),
  detail: z.string(),
  fix: z.string().optional(),
});

/** What can stand where a Docker user writes a name: names of instances. */
export const instanceName = z
  .string()
  .regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/, 'letters, digits, `_`, `.` and `-`, at most 63, first a letter or digit');
