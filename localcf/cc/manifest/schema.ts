/** What may stand in a manifest, with the keys of one spelling (CC `app_manifest_message.rb`). */
import { z } from 'zod';
import { metadataSchema } from '../metadata.js';
import { variableFault } from '../resources/shapes.js';
import { bytesOf, megabytesOf } from './sizes.js';

const UNITS = 'must use a supported unit: B, K, KB, M, MB, G, GB, T, or TB';
const text = z.union([z.string(), z.number()]).transform(String);
const memory = (what: string) =>
  text.transform((value, context) => {
    const mb = megabytesOf(value);
    if (mb !== undefined && mb > 0) return mb;
    context.addIssue(mb === undefined ? `${what} ${UNITS}` : `${what} must be greater than 0MB`);
    return z.NEVER;
  });
const rate = text.transform((value, context) => {
  const bytes = value === '-1' || value === '0' ? Number(value) : bytesOf(value);
  if (bytes !== undefined) return bytes;
  context.addIssue(`Log rate limit per second ${UNITS}`);
  return z.NEVER;
});
const count = z.coerce.number().int().min(0);
const period = z.coerce.number().int().min(1);
const checkType = z.enum(['http', 'port', 'process', 'none']);

const processKeys = {
  command: z.string().nullable().optional(),
  instances: count.optional(),
  memory: memory('Memory').optional(),
  'disk-quota': memory('Disk quota').optional(),
  'log-rate-limit-per-second': rate.optional(),
  'health-check-type': checkType.optional(),
  'health-check-http-endpoint': z.string().optional(),
  'health-check-invocation-timeout': period.optional(),
  'health-check-interval': period.optional(),
  'readiness-health-check-type': z.enum(['http', 'port', 'process']).optional(),
  'readiness-health-check-http-endpoint': z.string().optional(),
  'readiness-health-check-invocation-timeout': period.optional(),
  'readiness-health-check-interval': period.optional(),
  timeout: period.optional(),
};
const processSchema = z.looseObject({ ...processKeys, type: z.string().min(1) });

export const appSchema = z.looseObject({
  ...processKeys,
  name: z.string().min(1),
  lifecycle: z.enum(['buildpack', 'docker', 'cnb']).optional(),
  buildpack: z.string().nullable().optional(),
  buildpacks: z.array(z.string()).nullable().optional(),
  stack: z.string().optional(),
  docker: z.looseObject({ image: z.string().min(1), username: z.string().optional() }).optional(),
  env: z
    .record(z.string(), z.unknown())
    .nullable()
    .superRefine((env, context) => {
      for (const name of Object.keys(env ?? {})) {
        const fault = variableFault(name);
        if (fault !== undefined) context.addIssue(`Env ${fault.charAt(0).toLowerCase()}${fault.slice(1)}`);
      }
    })
    .optional(),
  routes: z
    .array(
      z.looseObject({
        route: z.string().min(1),
        protocol: z.enum(['http1', 'http2', 'tcp']).optional(),
        options: z.record(z.string(), z.unknown()).optional(),
      }),
    )
    .nullable()
    .optional(),
  'no-route': z.boolean().optional(),
  'random-route': z.boolean().optional(),
  'default-route': z.boolean().optional(),
  services: z
    .array(
      z.union([
        z.string().transform((name) => ({ name, binding_name: undefined })),
        z.looseObject({ name: z.string(), binding_name: z.string().optional() }),
      ]),
    )
    .nullable()
    .optional(),
  sidecars: z
    .array(
      z.looseObject({
        name: z.string().min(1),
        command: z.string().min(1),
        'process-types': z.array(z.string()).min(1),
        memory: memory('Memory').optional(),
      }),
    )
    .nullable()
    .optional(),
  processes: z.array(processSchema).optional(),
  metadata: metadataSchema.optional(),
  features: z.record(z.string(), z.boolean()).optional(),
});

export type ParsedApp = z.output<typeof appSchema>;
export type ParsedProcess = z.output<z.ZodObject<typeof processKeys>>;
