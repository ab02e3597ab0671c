import { z } from 'zod';
import { recordApp } from '../actions/apps.js';
import { cancelDeployment, continueDeployment, createDeployment } from '../actions/deployments.js';
import type { Cc } from '../cc.js';
import { invalid } from '../errors.js';
import { created, custom, found, get, patch, post, type Call, type Route } from '../http.js';
import { by, list } from '../list.js';
import { mergeMetadata, metadataSchema } from '../metadata.js';
import { noMetadata, type App, type Deployment } from '../model.js';
import { link, resource, toOne } from '../present.js';
import { guidRef } from './shapes.js';

const size = z.int().min(1).nullable().optional();
const createSchema = z.strictObject({
  droplet: z.strictObject({ guid: z.string() }).nullable().optional(),
  revision: z.strictObject({ guid: z.string() }).nullable().optional(),
  strategy: z.enum(['rolling', 'canary', 'recreate']).optional(),
  options: z
    .strictObject({
      max_in_flight: z.int().min(1).optional(),
      web_instances: size,
      memory_in_mb: size,
      disk_in_mb: size,
      log_rate_limit_in_bytes_per_second: z.int().min(-1).nullable().optional(),
      canary: z
        .strictObject({ steps: z.array(z.strictObject({ instance_weight: z.int().min(1).max(100) })).optional() })
        .optional(),
    })
    .optional(),
  relationships: z.strictObject({ app: guidRef }),
  metadata: metadataSchema.optional(),
});

export function deploymentRoutes(cc: Cc): Route[] {
  const { store } = cc;
  const spaceOf = (row: Deployment): string => store.app.get(row.app_guid)?.space_guid ?? '';
  const present = (row: Deployment): object => {
    const self = `/v3/deployments/${row.guid}`;
    const base = resource(cc, row, self, { app: `/v3/apps/${row.app_guid}` }) as { links: object };
    const revision = store.revision.get(row.revision_guid ?? '');
    return {
      ...base,
      state: row.state,
      status: {
        value: row.status_value,
        reason: row.status_reason,
        details: { last_status_change: row.last_status_change, last_healthy_at: row.updated_at, error: row.error },
        ...(row.strategy === 'canary'
          ? { canary: { steps: { current: row.canary_step + 1, total: row.canary_steps?.length ?? 1 } } }
          : {}),
      },
      strategy: row.strategy,
      options: {
        max_in_flight: row.max_in_flight,
        ...(row.web_instances === null ? {} : { web_instances: row.web_instances }),
        ...(row.memory_in_mb === null ? {} : { memory_in_mb: row.memory_in_mb }),
        ...(row.disk_in_mb === null ? {} : { disk_in_mb: row.disk_in_mb }),
        ...(row.canary_steps === null ? {} : { canary: { steps: row.canary_steps } }),
      },
      droplet: { guid: row.droplet_guid },
      previous_droplet: row.previous_droplet_guid === null ? null : { guid: row.previous_droplet_guid },
      new_processes: row.process_guid === null ? [] : [{ guid: row.process_guid, type: 'web' }],
      revision: revision ? { guid: revision.guid, version: revision.version } : null,
      relationships: { app: toOne(row.app_guid) },
      metadata: row.metadata,
      links: {
        ...base.links,
        ...(row.status_value === 'ACTIVE' ? { cancel: { ...link(cc, `${self}/actions/cancel`), method: 'POST' } } : {}),
        ...(row.state === 'PAUSED' ? { continue: { ...link(cc, `${self}/actions/continue`), method: 'POST' } } : {}),
      },
    };
  };
  const read = (call: Call, need: 'see' | 'operate' = 'see'): { row: Deployment; app: App } => {
    const row = found(store.deployment.get(call.params['guid'] ?? ''), 'Deployment');
    if (need === 'see') call.access.space(spaceOf(row), 'Deployment');
    else call.access.toOperate(spaceOf(row), 'Deployment');
    return { row, app: found(store.app.get(row.app_guid), 'Deployment') };
  };

  return [
    get('/v3/deployments', (call) =>
      list(
        call,
        store.deployment.filter((one) => call.access.seesSpace(spaceOf(one))),
        {
          filters: {
            app_guids: by((row) => row.app_guid),
            states: by((row) => row.state),
            status_values: by((row) => row.status_value),
            status_reasons: by((row) => row.status_reason),
          },
          present,
        },
      ),
    ),
    post('/v3/deployments', (call) => {
      const {
        droplet,
        revision,
        strategy = 'rolling',
        options = {},
        relationships,
        metadata,
      } = call.parse(createSchema);
      const guid = relationships.app.data.guid;
      const app = store.app.get(guid);
      if (!app || !call.access.seesSpace(app.space_guid)) {
        throw invalid('Unable to use app. Ensure that the app exists and you have access to it.');
      }
      call.access.toOperate(app.space_guid, 'App');
      if (droplet && revision) throw invalid("Cannot set both fields 'droplet' and 'revision'");
      const wanted = droplet ? store.droplet.get(droplet.guid) : undefined;
      if (droplet && wanted?.app_guid !== guid)
        throw invalid('Unable to assign current droplet. Ensure the droplet exists and belongs to this app.');
      const back = revision ? store.revision.get(revision.guid) : undefined;
      if (revision && back?.app_guid !== guid) throw invalid('The revision does not exist');
      if (options.canary && strategy !== 'canary')
        throw invalid("Canary options are only valid for deployments with strategy 'canary'");
      const row = store.change((tx) =>
        createDeployment(cc, tx, call.caller, {
          ...{ app, droplet: wanted, revision: back, strategy, max_in_flight: options.max_in_flight ?? 1 },
          ...{ web_instances: options.web_instances ?? null, memory_in_mb: options.memory_in_mb ?? null },
          disk_in_mb: options.disk_in_mb ?? null,
          log_rate_limit_in_bytes_per_second: options.log_rate_limit_in_bytes_per_second ?? null,
          canary_steps: options.canary?.steps ?? null,
          metadata: mergeMetadata(noMetadata(), metadata),
        }),
      );
      cc.diego.say(app, `Creating deployment for app with guid ${app.guid}`);
      return created(present(row));
    }),
    get('/v3/deployments/:guid', (call) => present(read(call).row)),
    patch('/v3/deployments/:guid', (call) => {
      const { row } = read(call, 'operate');
      const { metadata } = call.parse(z.strictObject({ metadata: metadataSchema.optional() }));
      return present(
        store.change((tx) => tx.update('deployment', row.guid, { metadata: mergeMetadata(row.metadata, metadata) })),
      );
    }),
    post('/v3/deployments/:guid/actions/cancel', (call) => {
      const { row, app } = read(call, 'operate');
      if (row.status_value === 'FINALIZED' && row.state !== 'CANCELED')
        throw invalid(`Cannot cancel a ${row.state} deployment`);
      if (row.status_value === 'ACTIVE') {
        store.change((tx) => {
          recordApp(cc, tx, call.caller, 'audit.app.deployment.cancel', app, { deployment_guid: row.guid });
          cancelDeployment(cc, tx, row);
        });
      }
      return custom({ status: 200 });
    }),
    post('/v3/deployments/:guid/actions/continue', (call) => {
      const { row, app } = read(call, 'operate');
      if (row.state !== 'PAUSED')
        throw invalid(`Cannot continue a deployment with status: ${row.status_value} and reason: ${row.status_reason}`);
      store.change((tx) => {
        recordApp(cc, tx, call.caller, 'audit.app.deployment.continue', app, { deployment_guid: row.guid });
        continueDeployment(cc, tx, row);
      });
      return custom({ status: 200 });
    }),
  ];
}
