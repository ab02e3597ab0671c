import { z } from 'zod';
import { recordApp } from '../actions/apps.js';
import { newest } from '../actions/defaults.js';
import { scaleProcess, scaleSchema } from '../actions/scale.js';
import type { Cc } from '../cc.js';
import { cfError, invalid, notFound } from '../errors.js';
import { accepted, del, found, get, noContent, patch, post, type Call, type Route } from '../http.js';
import { by, list, type ListShape } from '../list.js';
import { mergeMetadata, metadataSchema } from '../metadata.js';
import type { App, HealthCheck, Process } from '../model.js';
import { resource, toOne } from '../present.js';
import { needFlag } from './feature-flags.js';
import { presentProcess } from './present-apps.js';

const seconds = z.int().min(1).max(2_147_483_647).nullable().optional();
const checkData = z.strictObject({
  timeout: seconds,
  invocation_timeout: seconds,
  interval: seconds,
  endpoint: z.string().regex(/^\//, 'Health check endpoint must be a valid URI path').nullable().optional(),
});
const checkSchema = z.strictObject({
  type: z.enum(['port', 'process', 'http', 'none']).optional(),
  data: checkData.optional(),
});
const updateSchema = z.strictObject({
  command: z.string().min(1).max(4096).nullable().optional(),
  user: z.string().nullable().optional(),
  health_check: checkSchema.optional(),
  readiness_health_check: checkSchema.optional(),
  metadata: metadataSchema.optional(),
});

/** A check after an order that names parts of it. Another type begins anew. */
export function checkOf(
  before: HealthCheck,
  order: z.output<typeof checkSchema> | undefined,
  most_s: number,
): HealthCheck {
  if (!order) return before;
  const type = order.type ?? before.type;
  const base =
    type === before.type ? before : { timeout: null, invocation_timeout: null, interval: null, endpoint: null };
  const { timeout = base.timeout, invocation_timeout = base.invocation_timeout } = order.data ?? {};
  const { interval = base.interval, endpoint = base.endpoint } = order.data ?? {};
  if (timeout !== null && timeout > most_s) {
    throw invalid(`Health check timeout Maximum exceeded: max ${most_s}s`);
  }
  return {
    ...{ type, timeout },
    invocation_timeout: type === 'process' || type === 'none' ? null : invocation_timeout,
    interval: type === 'process' || type === 'none' ? null : interval,
    endpoint: type === 'http' ? (endpoint ?? '/') : null,
  };
}

export function processRoutes(cc: Cc): Route[] {
  const { store } = cc;
  const ownerOf = (process: Process): App => found(store.app.get(process.app_guid), 'App');

  type Need = 'see' | 'operate' | 'develop';
  const check = (call: Call, app: App, need: Need, what: string): void => {
    if (need === 'see') call.access.space(app.space_guid, what);
    else if (need === 'operate') call.access.toOperate(app.space_guid, what);
    else call.access.toDevelop(app.space_guid, what);
  };
  /** Of `/v3/processes/:guid`, or of `/v3/apps/:guid/processes/:type`. */
  const read = (call: Call, need: Need = 'see'): { app: App; process: Process } => {
    const type = call.params['type'];
    const guid = call.params['guid'] ?? '';
    if (type === undefined) {
      const process = found(store.process.get(guid), 'Process');
      const app = ownerOf(process);
      check(call, app, need, 'Process');
      return { app, process };
    }
    const app = found(store.app.get(guid), 'App');
    check(call, app, need, 'App');
    return {
      app,
      process: found(
        newest(
          store.process.filter((one) => one.app_guid === guid),
          type,
        ),
        'Process',
      ),
    };
  };

  const listOf = async (
    call: Call,
    rows: readonly Process[],
    others: Omit<ListShape<Process>, 'present'> = {},
  ): Promise<object> => {
    const embed = call.query.get('embed');
    if (embed !== undefined && embed !== 'process_instances') {
      throw cfError(
        'BadQueryParameter',
        `Invalid embedded resource: '${embed}'. Valid embedded resources are: 'process_instances'`,
      );
    }
    const instances = embed === undefined ? undefined : await cc.diego.instances(rows);
    return list(call, rows, {
      ...others,
      filters: { types: by((row) => row.type), ...others.filters },
      order: { type: (row) => row.type },
      allow: ['embed'],
      present: (row) => presentProcess(cc, row, { inList: true, instances: instances?.get(row.guid) }),
    });
  };

  const show = async (call: Call): Promise<object> => {
    const { process } = read(call);
    const instances =
      call.query.get('embed') === 'process_instances'
        ? (await cc.diego.instances([process])).get(process.guid)
        : undefined;
    return presentProcess(cc, process, { instances });
  };
  const stats = async (call: Call): Promise<object> => {
    const { app, process } = read(call);
    return { resources: await cc.diego.stats(process, app) };
  };
  const instances = async (call: Call): Promise<object> => {
    const { process } = read(call);
    return { resources: (await cc.diego.instances([process])).get(process.guid) ?? [] };
  };
  const update = (call: Call): object => {
    const { app, process } = read(call, 'develop');
    const { health_check, readiness_health_check, metadata, command, user } = call.parse(updateSchema);
    const most = cc.config.defaults.max_health_check_timeout_s;
    const updated = store.change((tx) => {
      recordApp(cc, tx, call.caller, 'audit.app.process.update', app, {
        process_guid: process.guid,
        process_type: process.type,
      });
      return tx.update('process', process.guid, {
        ...(command === undefined ? {} : { command }),
        ...(user === undefined ? {} : { user }),
        health_check: checkOf(process.health_check, health_check, most),
        readiness_health_check: checkOf(process.readiness_health_check, readiness_health_check, most),
        metadata: mergeMetadata(process.metadata, metadata),
      });
    });
    return presentProcess(cc, updated);
  };
  const scale = (call: Call): object => {
    const { app, process } = read(call, 'operate');
    needFlag(store, 'app_scaling', call.access.admin);
    const body = call.parse(scaleSchema);
    const updated = store.change((tx) => scaleProcess(cc, tx, call.caller, process, body));
    cc.diego.say(app, `Updated app with guid ${app.guid} (${JSON.stringify(body)})`);
    return accepted(presentProcess(cc, updated));
  };
  const restartInstance = async (call: Call): Promise<object> => {
    const { app, process } = read(call, 'operate');
    const index = /^\d+$/.test(call.params['index'] ?? '') ? Number(call.params['index']) : -1;
    if (index < 0 || index >= process.instances) throw notFound('Instance');
    if (!(await cc.diego.restartInstance(process, index))) throw notFound('Instance');
    store.change((tx) =>
      recordApp(cc, tx, call.caller, 'audit.app.process.terminate_instance', app, {
        ...{ process_guid: process.guid, process_type: process.type, process_index: index },
      }),
    );
    return noContent();
  };
  const sidecars = (call: Call, fits: (types: readonly string[]) => boolean, app_guid: string): object =>
    list(
      call,
      store.sidecar.filter((one) => one.app_guid === app_guid && fits(one.process_types)),
      {
        present: (row) => ({
          ...resource(cc, row, `/v3/sidecars/${row.guid}`),
          name: row.name,
          command: row.command,
          process_types: row.process_types,
          memory_in_mb: row.memory_in_mb,
          origin: 'user',
          relationships: { app: toOne(row.app_guid) },
        }),
      },
    );

  const app = '/v3/apps/:guid/processes/:type';
  return [
    get('/v3/processes', (call) => {
      const orgOf = (row: Process): string => store.space.get(ownerOf(row).space_guid)?.org_guid ?? '';
      const seen = store.process.filter((one) => call.access.seesSpace(store.app.get(one.app_guid)?.space_guid ?? ''));
      return listOf(call, seen, {
        filters: {
          app_guids: by((row) => row.app_guid),
          space_guids: by((row) => ownerOf(row).space_guid),
          organization_guids: by(orgOf),
        },
      });
    }),
    get('/v3/processes/:guid', show),
    patch('/v3/processes/:guid', update),
    get('/v3/processes/:guid/stats', stats),
    get('/v3/processes/:guid/process_instances', instances),
    post('/v3/processes/:guid/actions/scale', scale),
    del('/v3/processes/:guid/instances/:index', restartInstance),
    get('/v3/processes/:guid/sidecars', (call) => {
      const { process } = read(call);
      return sidecars(call, (types) => types.includes(process.type), process.app_guid);
    }),
    get('/v3/apps/:guid/sidecars', (call) => {
      const owner = found(store.app.get(call.params['guid'] ?? ''), 'App');
      check(call, owner, 'see', 'App');
      return sidecars(call, () => true, owner.guid);
    }),
    get('/v3/apps/:guid/processes', (call) => {
      const owner = found(store.app.get(call.params['guid'] ?? ''), 'App');
      check(call, owner, 'see', 'App');
      return listOf(
        call,
        store.process.filter((one) => one.app_guid === owner.guid),
      );
    }),
    get(app, show),
    patch(app, update),
    get(`${app}/stats`, stats),
    post(`${app}/actions/scale`, scale),
    del(`${app}/instances/:index`, restartInstance),
  ];
}
