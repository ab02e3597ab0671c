/** The HTTP routes of a DesiredLRP (routing-info `cfroutes`): JSON text under the key `cf-router`. Pure. */
import { z } from 'zod';
import type { ProtoRoutes } from '../../protos/generated.js';
import type { HttpRoute } from '../cell/model.js';

const routeSchema = z.object({
  hostnames: z.array(z.string()),
  port: z.number().int().min(1).max(65_535),
  route_service_url: z.string().nullish(),
  isolation_segment: z.string().nullish(),
  protocol: z.string().nullish(),
  options: z.record(z.string(), z.unknown()).nullish(),
});

/** A value that is no list of routes has none: the instance runs, without them, as under Diego's route-emitter. */
export function httpRoutes(routes: ProtoRoutes | undefined): HttpRoute[] {
  const bytes = routes?.routes['cf-router'];
  if (!bytes) return [];
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString());
  } catch {
    return [];
  }
  const parsed = z.array(routeSchema).safeParse(value);
  if (!parsed.success) return [];
  return parsed.data.map(({ hostnames, port, ...rest }) => {
    const given = Object.entries(rest).filter(([, value]) => value !== null && value !== undefined && value !== '');
    return { hostnames, port, ...(Object.fromEntries(given) as Omit<HttpRoute, 'hostnames' | 'port'>) };
  });
}
