/** The messages by which a route leads to an instance, as gorouter reads them (gorouter `mbus/subscriber.go`). */
import { z } from 'zod';
import { UnikError } from '../../core/errors.js';

const port = z.number().int().min(0).max(65_535);

/**
 * Strict where gorouter is: one field of another type and it drops the whole message. What it does not know it ignores.
 * `null` is the same as nothing.
 */
const registrationSchema = z.object({
  /** Where the instance is reached: address, and port unless `tls_port` is given. */
  host: z.string().nullish(),
  port: port.nullish(),
  tls_port: port.nullish(),
  /** `HOST`, `HOST/PATH` or `*.DOMAIN`; read without regard to case. */
  uris: z.array(z.string()).nullish(),
  /** Guid of the application: access log, `X-CF-App-Instance`. */
  app: z.string().nullish(),
  private_instance_id: z.string().nullish(),
  /** A number as text. */
  private_instance_index: z.string().nullish(),
  /** Name in the instance's certificate. */
  server_cert_domain_san: z.string().nullish(),
  tags: z.record(z.string(), z.string()).nullish(),
  /** Forgotten when not registered again for so long; 0, absent and what is longer than the router's: the router's. */
  stale_threshold_in_seconds: z.number().int().nullish(),
  isolation_segment: z.string().nullish(),
  route_service_url: z.string().nullish(),
  availability_zone: z.string().nullish(),
  protocol: z.string().nullish(),
  endpoint_updated_at_ns: z.number().nullish(),
  options: z.object({ loadbalancing: z.string().nullish(), lb_algo: z.string().nullish() }).nullish(),
});

export type Registration = z.input<typeof registrationSchema>;

/** What a router says of itself when it starts and to whom it is greeted by. */
const routerStartSchema = z.object({
  id: z.string().default(''),
  hosts: z.array(z.string()).default([]),
  minimumRegisterIntervalInSeconds: z.number(),
  pruneThresholdInSeconds: z.number(),
});

export type RouterStart = z.output<typeof routerStartSchema>;

/** Throws bad_request saying which field is wrong. */
export function readRegistration(value: unknown): Registration {
  return read(registrationSchema, value, 'registration');
}

/** Throws bad_request saying which field is wrong. */
export function readRouterStart(value: unknown): RouterStart {
  return read(routerStartSchema, value, 'router.start');
}

function read<T extends z.ZodType>(schema: T, value: unknown, what: string): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new UnikError('bad_request', `${what}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'is wrong'}`);
}
