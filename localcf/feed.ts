/** Feeds the router of this process: routes of the DesiredLRPs to the instances that run, compared as a whole each time. */
import { z } from 'zod';
import type { Bbs } from '../backend/wire/bbs.js';
import type { Clock } from '../core/clock.js';
import { messageOf } from '../core/errors.js';
import type { Log } from '../core/log.js';
import type { ActualLRP, DesiredLRP } from '../protos/generated.js';
import type { Registration, Router } from './router/index.js';

export interface FeedOptions {
  router: Pick<Router, 'register' | 'unregister'>;
  bbs: Pick<Bbs, 'call'>;
  /** Tells of each change of an instance, until the signal; a route must not outlive its machine by a period. */
  follow: (changed: () => void, signal: AbortSignal) => Promise<void>;
  clock: Clock;
  log: Log;
  /** Between two looks. */
  period_ms?: number;
}

export interface Feed {
  close(): Promise<void>;
}

const routesSchema = z.array(
  z.looseObject({
    hostnames: z.array(z.string()),
    port: z.number(),
    protocol: z.string().nullish(),
    route_service_url: z.string().nullish(),
    isolation_segment: z.string().nullish(),
    options: z.record(z.string(), z.unknown()).nullish(),
  }),
);

export function startFeed({ router, bbs, follow, clock, log, period_ms = 1_000 }: FeedOptions): Feed {
  const stopping = new AbortController();
  const { signal } = stopping;
  let known = new Map<string, Registration>();
  let wake: () => void = () => undefined;
  let stale = false;

  async function pass(): Promise<void> {
    const [{ desired_lrps }, { actual_lrps }] = await Promise.all([
      bbs.call('desired_lrps', {}, { signal }),
      bbs.call('actual_lrps', {}, { signal }),
    ]);
    const wanted = registrations(desired_lrps, actual_lrps);
    // All in one step, so that no request comes in between. A goodbye counts for an address, whoever has it by now: what
    // stands is said after it.
    for (const [key, message] of known) if (!wanted.has(key)) router.unregister(message);
    for (const message of wanted.values()) router.register(message);
    known = wanted;
  }

  const isStale = (): boolean => stale;
  const running = (async () => {
    while (!signal.aborted) {
      stale = false;
      await pass().catch((err: unknown) => {
        if (!signal.aborted) log.warn({ reason: messageOf(err) }, 'feed.pass-failed');
      });
      const early = new AbortController();
      wake = () => early.abort();
      if (isStale()) wake();
      await clock.sleep(period_ms, AbortSignal.any([early.signal, signal])).catch(() => undefined);
    }
  })();
  const following = follow(() => {
    stale = true;
    wake();
  }, signal);
  return {
    async close() {
      stopping.abort();
      await Promise.all([running, following]);
    },
  };
}

/** By what makes a registration another one. Pure. */
export function registrations(desired: readonly DesiredLRP[], actual: readonly ActualLRP[]): Map<string, Registration> {
  const running = new Map<string, ActualLRP[]>();
  for (const lrp of actual.filter(takesRequests)) {
    const guid = lrp.actual_lrp_key?.process_guid ?? '';
    running.set(guid, [...(running.get(guid) ?? []), lrp]);
  }
  const all = new Map<string, Registration>();
  for (const lrp of desired) {
    const routes = readRoutes(lrp);
    for (const instance of running.get(lrp.process_guid) ?? []) {
      for (const route of routes) {
        const message = registration(lrp, instance, route);
        if (message) all.set(JSON.stringify(message), message);
      }
    }
  }
  return all;
}

const takesRequests = ({ state, routable, presence }: ActualLRP): boolean =>
  state === 'RUNNING' && routable !== false && presence !== 'SUSPECT';

function readRoutes({ routes }: DesiredLRP): z.output<typeof routesSchema> {
  const bytes = (routes?.routes ?? {})['cf-router'];
  if (bytes === undefined) return [];
  const parsed = routesSchema.safeParse(JSON.parse(Buffer.from(bytes).toString('utf8')));
  return parsed.success ? parsed.data : [];
}

function registration(
  lrp: DesiredLRP,
  instance: ActualLRP,
  route: z.output<typeof routesSchema>[number],
): Registration | undefined {
  const { actual_lrp_net_info: net, actual_lrp_instance_key: key } = instance;
  const mapping = net?.ports.find(({ container_port }) => container_port === route.port);
  if (!net || !mapping) return undefined;
  return {
    host: net.address,
    port: mapping.host_port,
    uris: route.hostnames,
    app: lrp.log_guid,
    private_instance_id: key?.instance_guid ?? '',
    private_instance_index: String(instance.actual_lrp_key?.index ?? 0),
    tags: { process_instance_id: key?.instance_guid ?? '', source_id: lrp.log_guid, component: 'route-emitter' },
    protocol: route.protocol ?? 'http1',
    ...(route.route_service_url ? { route_service_url: route.route_service_url } : {}),
    ...(route.isolation_segment ? { isolation_segment: route.isolation_segment } : {}),
    ...(typeof route.options?.['loadbalancing'] === 'string'
      ? { options: { loadbalancing: route.options['loadbalancing'] } }
      : {}),
  };
}
