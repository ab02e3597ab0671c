import { z } from 'zod';
import {
  createRoute,
  findRoute,
  mapRoute,
  servesOrg,
  spacesOf,
  unmapRoute,
  type DestinationOrder,
} from '../actions/routes.js';
import type { Cc } from '../cc.js';
import { cfError, invalid } from '../errors.js';
import { audit } from '../events.js';
import {
  created,
  del,
  found,
  get,
  jobReply,
  noContent,
  patch,
  post,
  type Call,
  type Route as HttpRoute,
} from '../http.js';
import { by, byText, byAny, included, list, type ListShape } from '../list.js';
import { mergeMetadata, metadataSchema } from '../metadata.js';
import { noMetadata, type Destination, type Domain, type Route } from '../model.js';
import { link, resource, toOne } from '../present.js';
import { uriOf } from '../recipes/environment.js';
import { appOf } from './apps.js';
import { presentDomain } from './domains.js';
import { needFlag } from './feature-flags.js';
import { guidRef } from './shapes.js';

const optionsSchema = z.record(z.string(), z.union([z.string(), z.number()]).nullable());
const createSchema = z.strictObject({
  host: z.string().max(63).nullable().optional(),
  path: z.string().optional(),
  port: z.int().nullable().optional(),
  options: optionsSchema.optional(),
  relationships: z.strictObject({ space: guidRef, domain: guidRef }),
  metadata: metadataSchema.optional(),
});
const destinationSchema = z.strictObject({
  app: z.strictObject({ guid: z.string(), process: z.strictObject({ type: z.string() }).optional() }),
  weight: z.int().min(1).max(128).nullable().optional(),
  port: z.int().min(1).max(65_535).nullable().optional(),
  protocol: z.enum(['http1', 'http2', 'tcp']).nullable().optional(),
});
const destinationsSchema = z.strictObject({ destinations: z.array(destinationSchema).max(100) });

export function routeRoutes(cc: Cc): HttpRoute[] {
  const { store } = cc;
  const domainOf = (row: Route): Domain => found(store.domain.get(row.domain_guid), 'Domain');
  const destinationsOf = (row: Route): Destination[] => store.destination.filter((one) => one.route_guid === row.guid);
  const presentDestination = (row: Destination): object => ({
    guid: row.guid,
    created_at: row.created_at,
    updated_at: row.updated_at,
    app: { guid: row.app_guid, process: { type: row.process_type } },
    weight: row.weight,
    port: row.port ?? (row.protocol === 'tcp' ? null : 8080),
    protocol: row.protocol,
  });
  const present = (row: Route): object => {
    const domain = domainOf(row);
    const self = `/v3/routes/${row.guid}`;
    return {
      ...resource(cc, row, self, {
        space: `/v3/spaces/${row.space_guid}`,
        domain: `/v3/domains/${row.domain_guid}`,
        destinations: `${self}/destinations`,
      }),
      protocol: domain.router_group === null ? 'http' : 'tcp',
      host: row.host,
      path: row.path,
      port: row.port,
      url: uriOf({ route: row, domain }),
      destinations: destinationsOf(row).map(presentDestination),
      options: row.options,
      metadata: row.metadata,
      relationships: { space: toOne(row.space_guid), domain: toOne(row.domain_guid) },
    };
  };
  const presentDestinations = (row: Route): object => ({
    destinations: destinationsOf(row).map(presentDestination),
    links: { self: link(cc, `/v3/routes/${row.guid}/destinations`), route: link(cc, `/v3/routes/${row.guid}`) },
  });
  const unique = (guids: readonly string[]): string[] => [...new Set(guids)];
  const include: NonNullable<ListShape<Route>['include']> = {
    domain: (rows) => ({
      domains: unique(rows.map(({ domain_guid }) => domain_guid)).flatMap((guid) => {
        const domain = store.domain.get(guid);
        return domain ? [presentDomain(cc, domain)] : [];
      }),
    }),
    space: (rows) => ({
      spaces: unique(rows.map(({ space_guid }) => space_guid)).flatMap((guid) => {
        const space = store.space.get(guid);
        return space
          ? [
              {
                ...resource(cc, space, `/v3/spaces/${guid}`),
                name: space.name,
                relationships: { organization: toOne(space.org_guid) },
                metadata: space.metadata,
              },
            ]
          : [];
      }),
    }),
  };
  const shape: ListShape<Route> = {
    filters: {
      hosts: byText((row) => row.host),
      paths: byText((row) => row.path),
      ports: by((row) => row.port),
      space_guids: byAny(spacesOf),
      domain_guids: by((row) => row.domain_guid),
      organization_guids: by((row) => store.space.get(row.space_guid)?.org_guid),
      app_guids: byAny((row) => destinationsOf(row).map(({ app_guid }) => app_guid)),
      service_instance_guids: () => false,
    },
    ...{ include, present },
  };
  const read = (call: Call, need: 'see' | 'map' | 'operate' = 'see'): Route => {
    const row = found(store.route.get(call.params['guid'] ?? ''), 'Route');
    const seen = spacesOf(row).find((guid) => call.access.seesSpace(guid)) ?? row.space_guid;
    call.access.space(seen, 'Route');
    if (need === 'see') return row;
    // A space that it is shared with may lead it to its own apps, and no more.
    const at = need === 'map' ? spacesOf(row).find((guid) => call.access.operatesIn(guid)) : row.space_guid;
    if (at === undefined || !call.access.operatesIn(at)) throw cfError('NotAuthorized');
    call.access.toOperate(at, 'Route');
    return row;
  };
  const orders = (call: Call, route: Route): DestinationOrder[] =>
    call.parse(destinationsSchema).destinations.map(({ app: { guid, process }, weight, port, protocol }) => {
      const app = store.app.get(guid);
      if (!app || !call.access.seesSpace(app.space_guid)) {
        throw invalid(`App(s) with guid(s) "${guid}" do not exist or you do not have access.`);
      }
      const isTcp = domainOf(route).router_group !== null;
      if (isTcp && protocol !== undefined && protocol !== null && protocol !== 'tcp') {
        throw invalid("Destination protocol must be 'tcp' if the parent route's protocol is 'tcp'");
      }
      if (!isTcp && protocol === 'tcp') {
        throw invalid("Destination protocol must be 'http1' or 'http2' if the parent route's protocol is 'http'");
      }
      return {
        ...{ app, process_type: process?.type ?? 'web', port: port ?? null, weight: weight ?? null },
        protocol: protocol ?? (isTcp ? 'tcp' : 'http1'),
      };
    });

  return [
    get('/v3/routes', (call) =>
      list(
        call,
        store.route.filter((one) => spacesOf(one).some((guid) => call.access.seesSpace(guid))),
        shape,
      ),
    ),
    get('/v3/apps/:guid/routes', (call) => {
      const app = appOf(cc, call);
      const mine = new Set(store.destination.filter((one) => one.app_guid === app.guid).map((one) => one.route_guid));
      return list(
        call,
        store.route.filter(({ guid }) => mine.has(guid)),
        shape,
      );
    }),
    post('/v3/routes', (call) => {
      const { host, path = '', port = null, options = {}, relationships, metadata } = call.parse(createSchema);
      const space_guid = relationships.space.data.guid;
      if (!call.access.seesSpace(space_guid))
        throw invalid('Invalid space. Ensure that the space exists and you have access to it.');
      const space = call.access.toDevelop(space_guid);
      needFlag(store, 'route_creation', call.access.admin);
      const domain = store.domain.get(relationships.domain.data.guid);
      if (!domain || !servesOrg(domain, space.org_guid)) {
        throw invalid('Invalid domain. Ensure that the domain exists and you have access to it.');
      }
      const row = store.change((tx) =>
        createRoute(cc, tx, call.caller, {
          ...{ space, domain, host: host ?? '', path, port },
          options: withoutNulls(options),
          metadata: mergeMetadata(noMetadata(), metadata),
        }),
      );
      return created(present(row));
    }),
    get('/v3/routes/:guid', (call) => {
      const row = read(call);
      return { ...present(row), ...included(call.query, [row], { include }) };
    }),
    patch('/v3/routes/:guid', (call) => {
      const row = read(call, 'operate');
      const { metadata, options } = call.parse(
        z.strictObject({ metadata: metadataSchema.optional(), options: optionsSchema.optional() }),
      );
      return present(
        store.change((tx) =>
          tx.update('route', row.guid, {
            metadata: mergeMetadata(row.metadata, metadata),
            ...(options === undefined ? {} : { options: withoutNulls({ ...row.options, ...options }) }),
          }),
        ),
      );
    }),
    del('/v3/routes/:guid', async (call) => {
      const row = read(call, 'operate');
      const job = store.change((tx) => {
        const target = { guid: row.guid, type: 'route', name: uriOf({ route: row, domain: domainOf(row) }) };
        audit(tx, store, call.caller, 'audit.route.delete-request', target, { space_guid: row.space_guid });
        return cc.jobs.enqueue('route.delete', row.guid, null, tx);
      });
      await cc.jobs.ended(job, 1_000);
      return jobReply(cc, job);
    }),
    get('/v3/routes/:guid/destinations', (call) => presentDestinations(read(call))),
    post('/v3/routes/:guid/destinations', (call) => {
      const row = read(call, 'map');
      const wanted = orders(call, row);
      if (wanted.some(({ weight }) => weight !== null))
        throw invalid('Destinations cannot be inserted when there are weighted destinations already configured.');
      store.change((tx) => {
        for (const order of wanted) mapRoute(cc, tx, call.caller, row, order);
      });
      return presentDestinations(row);
    }),
    patch('/v3/routes/:guid/destinations', (call) => {
      const row = read(call, 'operate');
      const wanted = orders(call, row);
      store.change((tx) => {
        const kept = new Set(wanted.map((order) => mapRoute(cc, tx, call.caller, row, order).guid));
        for (const one of destinationsOf(row)) if (!kept.has(one.guid)) unmapRoute(cc, tx, call.caller, one);
      });
      return presentDestinations(row);
    }),
    patch('/v3/routes/:guid/destinations/:destination', (call) => {
      const row = read(call, 'operate');
      const one = destinationsOf(row).find(({ guid }) => guid === call.params['destination']);
      if (!one)
        throw invalid('Unable to find destination for route. Ensure the route has a destination with this guid.');
      const { protocol } = call.parse(z.strictObject({ protocol: z.enum(['http1', 'http2', 'tcp']).nullable() }));
      return presentDestination(
        store.change((tx) => tx.update('destination', one.guid, { protocol: protocol ?? 'http1' })),
      );
    }),
    del('/v3/routes/:guid/destinations/:destination', (call) => {
      const row = read(call, 'operate');
      const one = destinationsOf(row).find(({ guid }) => guid === call.params['destination']);
      if (!one)
        throw invalid('Unable to unmap route from destination. Ensure the route has a destination with this guid.');
      store.change((tx) => unmapRoute(cc, tx, call.caller, one));
      return noContent();
    }),
    get('/v3/domains/:guid/route_reservations', (call) => {
      const row = store.domain.get(call.params['guid'] ?? '');
      const orgs = row?.org_guid == null ? [] : [row.org_guid, ...row.shared_org_guids];
      const isSeen = orgs.length === 0 || orgs.some((guid) => call.access.seesOrg(guid));
      const domain = found(isSeen ? row : undefined, 'Domain');
      const port = call.query.get('port');
      const at = {
        domain,
        host: call.query.get('host') ?? '',
        path: call.query.get('path') ?? '',
        port: port === undefined ? null : Number(port),
      };
      return { matching_route: findRoute(store, at) !== undefined };
    }),
  ];
}

const withoutNulls = (options: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== null));

export function routeJobs({ store, jobs }: Cc): void {
  jobs.define('route.delete', async ({ resource_guid: guid }) =>
    store.change((tx) => {
      for (const one of store.destination.filter(({ route_guid }) => route_guid === guid))
        tx.remove('destination', one.guid);
      tx.remove('route', guid);
    }),
  );
}
