/** Routes and where they lead, by a call or by a manifest. */
import type { Caller } from '../access.js';
import type { Cc } from '../cc.js';
import { cfError, invalid } from '../errors.js';
import { audit } from '../events.js';
import {
  noMetadata,
  type App,
  type Destination,
  type Domain,
  type Metadata,
  type Route,
  type Space,
} from '../model.js';
import type { Store, Tx } from '../store.js';
import { uriOf } from '../recipes/environment.js';

export interface RouteOrder {
  space: Space;
  domain: Domain;
  host: string;
  path: string;
  port: number | null;
  options?: Record<string, unknown>;
  metadata?: Metadata;
}

/** Of all orgs, or of this one. */
export const servesOrg = (domain: Domain, org_guid: string): boolean =>
  domain.org_guid === null || domain.org_guid === org_guid || domain.shared_org_guids.includes(org_guid);

export function findRoute(
  store: Store,
  { domain, host, path, port }: Pick<RouteOrder, 'domain' | 'host' | 'path' | 'port'>,
): Route | undefined {
  return store.route.find(
    (one) =>
      one.domain_guid === domain.guid &&
      one.host.toLowerCase() === host.toLowerCase() &&
      one.path.toLowerCase() === path.toLowerCase() &&
      one.port === port,
  );
}

const HOST = /^[\w-]{1,63}$/;
const MAX_PATH = 128;
const TCP_PORTS = { first: 1024, last: 65_535 };

/** Throws 422 as CC words it; `cf create-route` knows the words for a route that is there. */
export function createRoute(cc: Pick<Cc, 'store'>, tx: Tx, caller: Caller, order: RouteOrder): Route {
  const { store } = cc;
  const { space, domain, options = {}, metadata = noMetadata() } = order;
  if (!servesOrg(domain, space.org_guid))
    throw invalid(`Invalid domain. Domain '${domain.name}' is not available in organization.`);
  const fault = faultOf(order);
  if (fault !== undefined) throw invalid(fault);
  const port = domain.router_group !== null && order.port === null ? freePort(store, domain) : order.port;
  if (findRoute(store, { ...order, port })) throw invalid(existsText({ ...order, port }));
  refuseOverQuota(store, space, port);
  const { host, path } = order;
  const route = tx.insert('route', {
    space_guid: space.guid,
    domain_guid: domain.guid,
    host,
    path,
    port,
    options,
    metadata,
  });
  const name = uriOf({ route, domain });
  audit(tx, store, caller, 'audit.route.create', { guid: route.guid, type: 'route', name }, { space_guid: space.guid });
  return route;
}

function existsText({ domain, host, path, port }: RouteOrder): string {
  if (port !== null) return `Route already exists with port '${port}' for domain '${domain.name}'.`;
  if (host === '' && path === '') return `Route already exists for domain '${domain.name}'.`;
  const parts = [...(host === '' ? [] : [`host '${host}'`]), ...(path === '' ? [] : [`path '${path}'`])];
  return `Route already exists with ${parts.join(' and ')} for domain '${domain.name}'.`;
}

function faultOf({ domain, host, path, port }: RouteOrder): string | undefined {
  const isTcp = domain.router_group !== null;
  if (isTcp) {
    if (host !== '') return 'Hosts are not supported for TCP routes.';
    if (path !== '') return 'Paths are not supported for TCP routes.';
    const outside = port !== null && (port < TCP_PORTS.first || port > TCP_PORTS.last);
    return outside ? `Port '${port}' is not available. Try a different port or use a different domain.` : undefined;
  }
  if (port !== null) return 'Ports are not supported for HTTP routes.';
  if (host === '' && domain.org_guid === null)
    return 'Missing host. Routes in shared domains must have a host defined.';
  if (host !== '' && host !== '*' && !HOST.test(host)) {
    return 'Host must be either "*" or contain only alphanumeric characters, "_", or "-".';
  }
  if (host === '*' && domain.internal) return 'Wildcard hosts are not supported for internal domains.';
  if (path !== '' && domain.internal) return 'Paths are not supported for internal domains.';
  if (path === '') return undefined;
  if (!path.startsWith('/')) return 'Path must begin with a slash.';
  if (path === '/') return 'Path cannot be a single slash.';
  if (path.includes('?')) return 'Path cannot contain a question mark.';
  return path.length > MAX_PATH ? `Path is too long (maximum is ${MAX_PATH} characters)` : undefined;
}

function freePort(store: Store, domain: Domain): number {
  const taken = new Set(store.route.filter((one) => one.domain_guid === domain.guid).map(({ port }) => port));
  for (let port = TCP_PORTS.first; port <= TCP_PORTS.last; port++) if (!taken.has(port)) return port;
  throw invalid(`There are no more ports available for domain ${domain.name}.`);
}

function refuseOverQuota(store: Store, space: Space, port: number | null): void {
  const org = store.org.get(space.org_guid);
  for (const [quota, inside] of [
    [store.quota.get(org?.quota_guid ?? ''), (guid: string) => store.space.get(guid)?.org_guid === space.org_guid],
    [store.quota.get(space.quota_guid ?? ''), (guid: string) => guid === space.guid],
  ] as const) {
    if (!quota) continue;
    const routes = store.route.filter(({ space_guid }) => inside(space_guid));
    const { total_routes, total_reserved_ports } = quota.routes;
    const where = quota.org_guid === null ? `organization '${org?.name ?? ''}'` : `space '${space.name}'`;
    if (total_routes !== null && routes.length >= total_routes) throw invalid(`Routes quota exceeded for ${where}.`);
    const ports = routes.filter((one) => one.port !== null).length;
    if (port !== null && total_reserved_ports !== null && ports >= total_reserved_ports) {
      throw invalid(`Reserved route ports quota exceeded for ${where}.`);
    }
  }
}

export interface DestinationOrder {
  app: App;
  process_type: string;
  port: number | null;
  weight: number | null;
  protocol: Destination['protocol'];
}

/** Its own space first, then those that it is shared with. */
export const spacesOf = ({ space_guid, shared_space_guids = [] }: Route): string[] => [
  space_guid,
  ...shared_space_guids,
];

/** A destination that is there already stays as it is. */
export function mapRoute(
  cc: Pick<Cc, 'store'>,
  tx: Tx,
  caller: Caller,
  route: Route,
  order: DestinationOrder,
): Destination {
  const { store } = cc;
  const { app, process_type, port, weight, protocol } = order;
  if (!spacesOf(route).includes(app.space_guid)) {
    throw invalid('Routes cannot be mapped to destinations in different spaces');
  }
  const same = store.destination.find(
    (one) =>
      one.route_guid === route.guid &&
      one.app_guid === app.guid &&
      one.process_type === process_type &&
      one.port === port,
  );
  if (same) return same;
  const made = tx.insert('destination', {
    route_guid: route.guid,
    app_guid: app.guid,
    process_type,
    port,
    weight,
    protocol,
  });
  audit(
    tx,
    store,
    caller,
    'audit.app.map-route',
    { guid: app.guid, type: 'app', name: app.name },
    {
      space_guid: app.space_guid,
      data: { route_guid: route.guid, destination_guid: made.guid, process_type },
    },
  );
  return made;
}

export function unmapRoute(cc: Pick<Cc, 'store'>, tx: Tx, caller: Caller, destination: Destination): void {
  const { store } = cc;
  const app = store.app.get(destination.app_guid);
  tx.remove('destination', destination.guid);
  if (!app) return;
  audit(
    tx,
    store,
    caller,
    'audit.app.unmap-route',
    { guid: app.guid, type: 'app', name: app.name },
    {
      space_guid: app.space_guid,
      data: { route_guid: destination.route_guid, destination_guid: destination.guid },
    },
  );
}

/** The domain of a route without one: the first that all share and that is neither internal nor for TCP. */
export function defaultDomain(store: Store, org_guid: string): Domain {
  const usable = store.domain.filter((one) => !one.internal && one.router_group === null && servesOrg(one, org_guid));
  const found = usable.find((one) => one.org_guid === null) ?? usable[0];
  if (!found) throw cfError('UnprocessableEntity', 'No default domains available');
  return found;
}
