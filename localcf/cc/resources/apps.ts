import { z } from 'zod';
import {
  assignDroplet,
  createApp,
  lifecycleOf,
  recordApp,
  recordUsage,
  refuseTaken,
  startApp,
  stopApp,
} from '../actions/apps.js';
import { activeDeployment } from '../actions/deployments.js';
import type { Cc } from '../cc.js';
import { invalid } from '../errors.js';
import { accepted, created, found, get, del, jobReply, patch, post, type Call, type Route } from '../http.js';
import { by, included, list, type ListShape } from '../list.js';
import { mergeMetadata, metadataSchema } from '../metadata.js';
import type { App } from '../model.js';
import { link, resource, toOne } from '../present.js';
import { presentApp, presentDroplet } from './present-apps.js';
import { environmentSchema, guidRef, lifecycleSchema } from './shapes.js';

const name = z.string().min(1).max(255);
const createSchema = z.strictObject({
  name,
  lifecycle: lifecycleSchema.optional(),
  environment_variables: environmentSchema.optional(),
  relationships: z.strictObject({ space: guidRef }),
  metadata: metadataSchema.optional(),
});
const updateSchema = z.strictObject({
  name: name.optional(),
  lifecycle: lifecycleSchema.optional(),
  metadata: metadataSchema.optional(),
});

/** The app of the path, seen by the caller; 404 otherwise. */
export function appOf(cc: Cc, call: Call, need: 'see' | 'operate' | 'develop' | 'secrets' = 'see'): App {
  const app = found(cc.store.app.get(call.params['guid'] ?? ''), 'App');
  if (need === 'see') call.access.space(app.space_guid, 'App');
  else if (need === 'operate') call.access.toOperate(app.space_guid, 'App');
  else if (need === 'develop') call.access.toDevelop(app.space_guid, 'App');
  else call.access.toReadSecrets(app.space_guid, 'App');
  return app;
}

export function appRoutes(cc: Cc): Route[] {
  const { store } = cc;
  const present = (app: App): object => presentApp(cc, app);
  const spacesOf = (rows: readonly App[]) =>
    [...new Set(rows.map(({ space_guid }) => space_guid))].flatMap((guid) => store.space.get(guid) ?? []);
  const presentSpace = (space: ReturnType<typeof spacesOf>[number]): object => ({
    ...resource(cc, space, `/v3/spaces/${space.guid}`),
    name: space.name,
    relationships: { organization: toOne(space.org_guid) },
    metadata: space.metadata,
  });
  const include: NonNullable<ListShape<App>['include']> = {
    space: (rows) => ({ spaces: spacesOf(rows).map(presentSpace) }),
    'space.organization': (rows) => ({
      spaces: spacesOf(rows).map(presentSpace),
      organizations: [...new Set(spacesOf(rows).map(({ org_guid }) => org_guid))]
        .flatMap((guid) => store.org.get(guid) ?? [])
        .map((org) => ({
          ...resource(cc, org, `/v3/organizations/${org.guid}`),
          name: org.name,
          suspended: org.suspended,
          relationships: { quota: toOne(org.quota_guid) },
          metadata: org.metadata,
        })),
    }),
  };
  include['org'] = include['space.organization'] as (typeof include)[string];
  const orgOf = ({ space_guid }: App): string => store.space.get(space_guid)?.org_guid ?? '';

  /** The action of one button: start, stop, restart. */
  const act =
    (verb: 'start' | 'stop' | 'restart') =>
    (call: Call): object => {
      const app = appOf(cc, call, 'operate');
      const result = store.change((tx) =>
        verb === 'stop' ? stopApp(cc, tx, call.caller, app) : startApp(cc, tx, call.caller, app, verb === 'restart'),
      );
      const state = result.state.toLowerCase();
      cc.diego.say(
        app,
        verb === 'restart'
          ? `Restarted app with guid ${app.guid}`
          : `Updated app with guid ${app.guid} ({"state"=>"${state.toUpperCase()}"})`,
      );
      return present(result);
    };

  return [
    get('/v3/apps', (call) =>
      list(
        call,
        store.app.filter(({ space_guid }) => call.access.seesSpace(space_guid)),
        {
          filters: {
            names: by((row) => row.name),
            space_guids: by((row) => row.space_guid),
            organization_guids: by(orgOf),
            stacks: by((row) => (row.lifecycle.type === 'docker' ? '' : row.lifecycle.data.stack)),
            lifecycle_type: by((row) => row.lifecycle.type),
            states: by((row) => row.state),
          },
          order: { name: (row) => row.name.toLowerCase(), state: (row) => row.state },
          ...{ include, present },
        },
      ),
    ),
    post('/v3/apps', (call) => {
      const { relationships, lifecycle, environment_variables = {}, metadata, name: called } = call.parse(createSchema);
      const space_guid = relationships.space.data.guid;
      if (!call.access.seesSpace(space_guid))
        throw invalid('Invalid space. Ensure that the space exists and you have access to it.');
      const space = call.access.toDevelop(space_guid);
      const app = store.change((tx) =>
        createApp(cc, tx, call.caller, {
          ...{ name: called, space, lifecycle, environment: environment_variables },
          metadata: mergeMetadata({ labels: {}, annotations: {} }, metadata),
        }),
      );
      cc.diego.say(app, `Created app with guid ${app.guid}`);
      return created(present(app));
    }),
    get('/v3/apps/:guid', (call) => {
      const app = appOf(cc, call);
      return { ...present(app), ...included(call.query, [app], { include }) };
    }),
    patch('/v3/apps/:guid', (call) => {
      const app = appOf(cc, call, 'develop');
      const { name: called, lifecycle, metadata } = call.parse(updateSchema);
      const updated = store.change((tx) => {
        if (called !== undefined) refuseTaken(store, called, app.space_guid, app.guid);
        const result = tx.update('app', app.guid, {
          ...(called === undefined ? {} : { name: called }),
          ...(lifecycle === undefined ? {} : { lifecycle: lifecycleOf(store, app.lifecycle, lifecycle) }),
          ...(metadata === undefined ? {} : { metadata: mergeMetadata(app.metadata, metadata) }),
        });
        recordApp(cc, tx, call.caller, 'audit.app.update', result, {
          request: {
            ...(called === undefined ? {} : { name: called }),
            ...(lifecycle === undefined ? {} : { lifecycle }),
          },
        });
        return result;
      });
      cc.diego.say(updated, `Updated app with guid ${app.guid}`);
      return present(updated);
    }),
    del('/v3/apps/:guid', async (call) => {
      const app = appOf(cc, call, 'develop');
      const job = store.change((tx) => {
        recordApp(cc, tx, call.caller, 'audit.app.delete-request', app, { request: { recursive: true } });
        return cc.jobs.enqueue('app.delete', app.guid, null, tx);
      });
      await cc.jobs.ended(job, 2_000);
      return jobReply(cc, job);
    }),

    post('/v3/apps/:guid/actions/start', act('start')),
    post('/v3/apps/:guid/actions/stop', act('stop')),
    post('/v3/apps/:guid/actions/restart', act('restart')),
    post('/v3/apps/:guid/actions/clear_buildpack_cache', (call) => {
      const app = appOf(cc, call, 'develop');
      store.change((tx) => {
        for (const { guid } of store.build_cache.filter((one) => one.app_guid === app.guid))
          tx.remove('build_cache', guid);
      });
      return accepted({});
    }),

    get('/v3/apps/:guid/relationships/current_droplet', (call) => {
      const app = appOf(cc, call);
      const droplet = found(store.droplet.get(app.droplet_guid ?? ''), 'Droplet');
      return {
        ...toOne(droplet.guid),
        links: {
          self: link(cc, `/v3/apps/${app.guid}/relationships/current_droplet`),
          related: link(cc, `/v3/apps/${app.guid}/droplets/current`),
        },
      };
    }),
    patch('/v3/apps/:guid/relationships/current_droplet', (call) => {
      const app = appOf(cc, call, 'operate');
      const { guid } = call.parse(guidRef).data;
      const droplet = store.droplet.get(guid);
      if (droplet?.app_guid !== app.guid || droplet.state !== 'STAGED') {
        throw invalid('Unable to assign current droplet. Ensure the droplet exists and belongs to this app.');
      }
      if (activeDeployment(store, app.guid))
        throw invalid('Cannot update this process while a deployment is in flight.');
      store.change((tx) => assignDroplet(cc, tx, call.caller, app, droplet));
      return {
        ...toOne(guid),
        links: {
          self: link(cc, `/v3/apps/${app.guid}/relationships/current_droplet`),
          related: link(cc, `/v3/apps/${app.guid}/droplets/current`),
        },
      };
    }),
    get('/v3/apps/:guid/droplets/current', (call) => {
      const app = appOf(cc, call);
      return presentDroplet(cc, found(store.droplet.get(app.droplet_guid ?? ''), 'Droplet'));
    }),
  ];
}

/** Everything of an app goes; its routes stay. */
export function appJobs({ store, jobs, diego }: Cc): void {
  jobs.define('app.delete', async ({ resource_guid: guid }) => {
    const staging = store.build.filter((one) => one.app_guid === guid && one.state === 'STAGING');
    store.change((tx) => {
      const app = store.app.get(guid);
      if (app?.state === 'STARTED') recordUsage(store, tx, { ...app, state: 'STOPPED' }, app.state);
      const tables = [
        ...([
          'process',
          'sidecar',
          'package',
          'build',
          'droplet',
          'build_cache',
          'task',
          'deployment',
          'revision',
        ] as const),
        ...(['destination', 'service_binding'] as const),
      ];
      for (const table of tables) {
        for (const row of store[table].all()) if (row.app_guid === guid) tx.remove(table, row.guid);
      }
      tx.remove('app', guid);
    });
    for (const build of staging) await diego.cancelBuild(build.guid);
    // What cannot be told now is told when the BBS is back: the rows say it.
    await diego.told(10_000);
  });
}
