/**
 * What routers are told of one instance (route-emitter `routingtable/endpoint.go`, `registry_message.go`). Pure.
 * The routes of the Routing API (`tcp-router`) are none of NATS's: they are not here.
 */
import type { Container } from '../cell/model.js';
import type { Registration } from '../wire/registration.js';

/** Who is told: HTTP routers, or the server of names under `apps.internal`. */
export type Family = 'router' | 'service-discovery';

/** One URI that leads to one address. */
export interface Advert {
  family: Family;
  message: Registration;
  /** What a router knows it by: who registers or unregisters under the same key means the same entry. */
  key: string;
}

export interface AdvertOptions {
  zone: string;
  /** Addresses of machines can be reached from other hosts: names under `apps.internal` make sense. */
  internal: boolean;
}

/** None unless it runs, is ready and was not asked to end. */
export function advertsOf(container: Container, { zone, internal }: AdvertOptions): Advert[] {
  const { reservation, state, routable, stopped, order, net } = container;
  if (reservation.kind !== 'lrp' || state !== 'running' || !routable || stopped || !order || !net) return [];
  const { index } = reservation.lrp;
  const base = {
    app: order.logs.guid,
    private_instance_id: reservation.guid,
    private_instance_index: String(index),
    server_cert_domain_san: reservation.guid,
    tags: { ...order.metric_tags, component: 'route-emitter' },
    ...(zone === '' ? {} : { availability_zone: zone }),
  };
  const http = (order.http_routes ?? []).flatMap(({ hostnames, port, ...route }) => {
    // As many as the instance has ports of that number: one, or none.
    const mapped = net.ports.filter(({ container_port }) => container_port === port);
    return mapped.flatMap(({ host_port }) =>
      hostnames.map((uri) => advert('router', { ...base, ...route, host: net.address, port: host_port, uris: [uri] })),
    );
  });
  const names = internal
    ? order.internal_routes.map((name) =>
        advert('service-discovery', {
          ...base,
          host: net.instance_address,
          port: 0,
          uris: [name, `${index}.${name}`],
        }),
      )
    : [];
  return [...http, ...names];
}

function advert(family: Family, message: Registration): Advert {
  const { host, port, uris } = message;
  return { family, message, key: JSON.stringify([family, host, port, (uris ?? []).map((uri) => uri.toLowerCase())]) };
}
