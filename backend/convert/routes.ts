/** The routes of a DesiredLRP (routing-info `cfroutes`, `internalroutes`): JSON text under a key each. Pure. */
import { z } from 'zod';
import { jsonOf } from '../../core/json.js';
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
  const parsed = z.array(routeSchema).safeParse(valueOf(routes, 'cf-router'));
  if (!parsed.success) return [];
  return parsed.data.map(({ hostnames, port, ...rest }) => {
    const given = Object.entries(rest).filter(([, value]) => value !== null && value !== undefined && value !== '');
    return { hostnames, port, ...(Object.fromEntries(given) as Omit<HttpRoute, 'hostnames' | 'port'>) };
  });
}

/** Host names of the internal routes; a value that is no such list has none, as for the rep. */
export function internalRoutes(routes: ProtoRoutes | undefined): string[] {
  const value = valueOf(routes, 'internal-router');
  if (!Array.isArray(value)) return [];
  return value.flatMap((route: unknown) => {
    const known = typeof route === 'object' && route !== null && 'hostname' in route ? route.hostname : undefined;
    return typeof known === 'string' ? [known] : [];
  });
}

function valueOf(routes: ProtoRoutes | undefined, key: string): unknown {
  const bytes = routes?.routes[key];
  return bytes && jsonOf(Buffer.from(bytes).toString());
}
