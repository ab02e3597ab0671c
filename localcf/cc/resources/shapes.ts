/** Parts of bodies that several resources take. */
import { z } from 'zod';

export const guidRef = z.strictObject({ data: z.strictObject({ guid: z.string() }) });

export const lifecycleSchema = z.strictObject({
  type: z.enum(['buildpack', 'docker', 'cnb']).optional(),
  data: z
    .strictObject({
      buildpacks: z.array(z.string()).nullable().optional(),
      stack: z.string().nullable().optional(),
      credentials: z.record(z.string(), z.unknown()).nullable().optional(),
    })
    .optional(),
});

const NAME_FAULT = 'Environment variable names';
const MAX_ENV = 255;

/** Why a name is refused; undefined: it is fine. */
export function variableFault(name: string): string | undefined {
  if (name === '') return 'Environment variables cannot have an empty name';
  if (/^VCAP_/i.test(name)) return 'Environment variables cannot start with VCAP_';
  if (name === 'PORT') return 'Environment variables cannot set PORT';
  return name.length > MAX_ENV ? `${NAME_FAULT} cannot be longer than ${MAX_ENV} characters` : undefined;
}

const variables = <V extends z.ZodType>(value: V) =>
  z.record(z.string(), value).superRefine((all, context) => {
    for (const name of Object.keys(all)) {
      const fault = variableFault(name);
      if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
    }
  });

/** Of a new app. */
export const environmentSchema = variables(z.string());
/** Null takes a variable away; numbers and booleans are texts to a program. */
export const environmentPatch = variables(
  z.union([z.string(), z.number().transform(String), z.boolean().transform(String)]).nullable(),
);

export const patched = (before: Record<string, string>, patch: Record<string, string | null>): Record<string, string> =>
  Object.fromEntries(
    Object.entries({ ...before, ...patch }).filter((entry): entry is [string, string] => entry[1] !== null),
  );
