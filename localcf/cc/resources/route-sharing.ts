/** Routes that several spaces use, and whose they are (CC `app/controllers/v3/routes_controller.rb`). */
import { z } from 'zod';
import { spacesOf } from '../actions/routes.js';
import type { Cc } from '../cc.js';
import { invalid } from '../errors.js';
import { found, get, noContent, patch, post, del, type Call, type Route as HttpRoute } from '../http.js';
import { link, toMany, toOne } from '../present.js';
import type { Route, Space } from '../model.js';
import { needFlag } from './feature-flags.js';
import { guidRef } from './shapes.js';

const manySchema = z.strictObject({ data: z.array(z.strictObject({ guid: z.string() })).min(1) });
const SHARED = '/v3/routes/:guid/relationships/shared_spaces';

export function routeSharingRoutes(cc: Cc): HttpRoute[] {
  const { store } = cc;
  const toOperate = (call: Call): Route => {
    const row = found(store.route.get(call.params['guid'] ?? ''), 'Route');
    call.access.toOperate(row.space_guid, 'Route');
    needFlag(store, 'route_sharing', call.access.admin);
    return row;
  };
  /** Of those asked for. Throws 422 naming the route and what stands against it. */
  const target = (call: Call, row: Route, guid: string, verb: string): Space => {
    const space = store.space.get(guid);
    if (!space || !call.access.seesSpace(guid)) {
      throw invalid(
        `Unable to ${verb} route ${row.host} with spaces ['${guid}']. Ensure the spaces exist and that you have access to them.`,
      );
    }
    if (!call.access.operatesIn(guid)) {
      throw invalid(
        `Unable to ${verb} route ${row.host} with spaces ['${guid}']. Write permission is required in order to ${verb} a route with a space.`,
      );
    }
    const owners = store.domain.get(row.domain_guid);
    const orgs = owners?.org_guid == null ? undefined : [owners.org_guid, ...owners.shared_org_guids];
    if (orgs && !orgs.includes(space.org_guid)) {
      throw invalid(`Unable to ${verb} route: the space's organization has no access to domain ${owners?.name ?? ''}.`);
    }
    return space;
  };
  const present = (row: Route): object => ({
    ...toMany(row.shared_space_guids ?? []),
    links: { self: link(cc, `/v3/routes/${row.guid}/relationships/shared_spaces`) },
  });

  return [
    get(SHARED, (call) => {
      const row = found(store.route.get(call.params['guid'] ?? ''), 'Route');
      call.access.space(spacesOf(row).find((guid) => call.access.seesSpace(guid)) ?? row.space_guid, 'Route');
      needFlag(store, 'route_sharing', call.access.admin);
      return present(row);
    }),
    post(SHARED, (call) => {
      const row = toOperate(call);
      const guids = call.parse(manySchema).data.map(({ guid }) => target(call, row, guid, 'share').guid);
      if (guids.includes(row.space_guid))
        throw invalid(
          `Unable to share route '${row.host}' with space '${row.space_guid}'. Routes cannot be shared into the space where they were created.`,
        );
      const shared_space_guids = [...new Set([...(row.shared_space_guids ?? []), ...guids])];
      return present(store.change((tx) => tx.update('route', row.guid, { shared_space_guids })));
    }),
    del(`${SHARED}/:space_guid`, (call) => {
      const row = toOperate(call);
      const { space_guid = '' } = call.params;
      if (space_guid === row.space_guid)
        throw invalid(
          `Unable to unshare route '${row.host}' from space '${space_guid}'. Routes cannot be removed from the space that owns them.`,
        );
      target(call, row, space_guid, 'unshare');
      const inSpace = (app_guid: string): boolean => store.app.get(app_guid)?.space_guid === space_guid;
      store.change((tx) => {
        const shared_space_guids = (row.shared_space_guids ?? []).filter((guid) => guid !== space_guid);
        tx.update('route', row.guid, { shared_space_guids });
        // Its apps have no claim any more.
        for (const one of store.destination.filter((each) => each.route_guid === row.guid && inSpace(each.app_guid)))
          tx.remove('destination', one.guid);
      });
      return noContent();
    }),
    patch('/v3/routes/:guid/relationships/space', (call) => {
      const row = toOperate(call);
      const { guid } = target(call, row, call.parse(guidRef).data.guid, 'transfer owner of');
      if (guid !== row.space_guid) {
        // The old owner goes on using it.
        const shared_space_guids = spacesOf(row).filter((one) => one !== guid);
        store.change((tx) => tx.update('route', row.guid, { space_guid: guid, shared_space_guids }));
      }
      return { ...toOne(guid), links: { self: link(cc, `/v3/routes/${row.guid}/relationships/space`) } };
    }),
  ];
}
