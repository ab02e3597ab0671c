/** What needs a service broker: there is none, so that the lists are empty, and making one is refused in clear words. */
import type { Cc } from '../cc.js';
import { cfError, notFound } from '../errors.js';
import { get, patch, post, type Route } from '../http.js';
import { list } from '../list.js';
import type { Base } from '../model.js';

const KINDS: Record<string, string> = {
  service_offerings: 'Service offering',
  service_plans: 'Service plan',
  service_brokers: 'Service broker',
  service_route_bindings: 'Service route binding',
};

export function serviceCatalogueRoutes(_cc: Cc): Route[] {
  return Object.entries(KINDS).flatMap(([path, name]) => [
    get(`/v3/${path}`, (call) =>
      // Whatever is asked for, nothing fits; but pages are read as everywhere.
      list<Base>({ ...call, query: new Map([...call.query].filter(([key]) => /^(per_)?page$/.test(key))) }, [], {
        present: (row) => row,
      }),
    ),
    get(`/v3/${path}/:guid`, () => {
      throw notFound(name);
    }),
    patch(`/v3/${path}/:guid`, () => {
      throw notFound(name);
    }),
    post(`/v3/${path}`, (call) => {
      if (path === 'service_brokers') call.access.toAdmin();
      throw cfError('NotImplemented', `${name}s are not offered: this platform speaks to no service brokers.`);
    }),
  ]);
}
