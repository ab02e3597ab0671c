/** Routes of a process as the BBS keeps them for the route emitters (CC `protocol/routing_info.rb`, `app_recipe_builder.rb`). Pure. */
import { DEFAULT_PORT, type Mapping } from './facts.js';
import { uriOf } from './environment.js';

export interface HttpRoute {
  hostnames: string[];
  port: number;
  route_service_url: string | null;
  isolation_segment: string | null;
  protocol: 'http1' | 'http2';
  options?: Record<string, unknown>;
}

export interface RoutingInfo {
  'cf-router': HttpRoute[];
  'tcp-router': { router_group_guid: string; external_port: number; container_port: number }[];
  'internal-router': { hostname: string }[];
}

/** Of the mappings, those to this type of process. */
export function routingInfo(
  mappings: readonly Mapping[],
  { type, ports, isolation_segment }: { type: string; ports: readonly number[]; isolation_segment: string | null },
): RoutingInfo {
  const mine = mappings.filter(({ destination }) => destination.process_type === type);
  const portOf = ({ destination }: Mapping): number => destination.port ?? ports[0] ?? DEFAULT_PORT;
  const info: RoutingInfo = { 'cf-router': [], 'tcp-router': [], 'internal-router': [] };
  for (const mapping of mine) {
    const { route, domain, destination } = mapping;
    if (domain.internal) info['internal-router'].push({ hostname: uriOf(mapping) });
    else if (domain.router_group !== null && route.port !== null) {
      info['tcp-router'].push({
        router_group_guid: domain.router_group,
        external_port: route.port,
        container_port: portOf(mapping),
      });
    } else {
      info['cf-router'].push({
        hostnames: [uriOf(mapping)],
        port: portOf(mapping),
        route_service_url: null,
        isolation_segment,
        protocol: destination.protocol === 'http2' ? 'http2' : 'http1',
        ...(Object.keys(route.options).length > 0 ? { options: route.options } : {}),
      });
    }
  }
  return info;
}

/** As the wire wants it: JSON in bytes, every key there. */
export const protoRoutes = (info: RoutingInfo): { routes: Record<string, Buffer> } => ({
  routes: Object.fromEntries(Object.entries(info).map(([key, value]) => [key, Buffer.from(JSON.stringify(value))])),
});

/** Ports that a process listens on: those of its destinations, and 8080 for a web process without any. */
export function portsOf(mappings: readonly Mapping[], type: string): number[] {
  const mine = mappings.filter(({ destination }) => destination.process_type === type);
  const ports = [...new Set(mine.map(({ destination }) => destination.port ?? DEFAULT_PORT))];
  if (ports.length > 0) return ports;
  return type === 'web' ? [DEFAULT_PORT] : [];
}
