import { z } from 'zod';
import { recordApp } from '../actions/apps.js';
import { newest } from '../actions/defaults.js';
import type { Cc } from '../cc.js';
import { cfError, invalid } from '../errors.js';
import { accepted, found, get, patch, post, put, type Call, type Route } from '../http.js';
import { by, list } from '../list.js';
import { mergeMetadata, metadataSchema } from '../metadata.js';
import { noMetadata, type App, type Task } from '../model.js';
import { appOf } from './apps.js';
import { needFlag } from './feature-flags.js';
import { presentTask } from './present-apps.js';

const createSchema = z.strictObject({
  command: z.string().min(1).optional(),
  name: z.string().min(1).max(255).optional(),
  memory_in_mb: z.int().min(1).optional(),
  disk_in_mb: z.int().min(1).optional(),
  log_rate_limit_in_bytes_per_second: z.int().min(-1).optional(),
  droplet_guid: z.string().optional(),
  user: z.string().nullable().optional(),
  template: z.strictObject({ process: z.strictObject({ guid: z.string() }) }).optional(),
  metadata: metadataSchema.optional(),
});

/** Tasks that ended are kept this many for each app. */
const KEPT = 100;

export function taskRoutes(cc: Cc): Route[] {
  const { store, config } = cc;
  const spaceOf = (row: Task): string => store.app.get(row.app_guid)?.space_guid ?? '';
  const read = (call: Call): { row: Task; app: App } => {
    const row = found(store.task.get(call.params['guid'] ?? ''), 'Task');
    call.access.space(spaceOf(row), 'Task');
    return { row, app: found(store.app.get(row.app_guid), 'Task') };
  };
  const listOf = (call: Call, rows: readonly Task[]): object =>
    list(call, rows, {
      filters: {
        names: by((row) => row.name),
        states: by((row) => row.state),
        sequence_ids: by((row) => row.sequence_id),
        app_guids: by((row) => row.app_guid),
        space_guids: by(spaceOf),
        organization_guids: by((row) => store.space.get(spaceOf(row))?.org_guid),
      },
      present: (row) => presentTask(cc, row, !call.access.seesSecretsOf(spaceOf(row))),
    });

  const create = (call: Call): object => {
    const app = appOf(cc, call, 'develop');
    const body = call.parse(createSchema);
    needFlag(store, 'task_creation', call.access.admin);
    const template = body.template && store.process.get(body.template.process.guid);
    if (body.template && template?.app_guid !== app.guid) throw invalid('Task must have a valid template process');
    const droplet = store.droplet.get(body.droplet_guid ?? app.droplet_guid ?? '');
    if (droplet?.app_guid !== app.guid || droplet.state !== 'STAGED') {
      throw invalid('Task must have a droplet. Assign current droplet to app.');
    }
    const mine = store.task.filter((one) => one.app_guid === app.guid);
    const sequence_id = Math.max(0, ...mine.map((one) => one.sequence_id)) + 1;
    const command = body.command ?? template?.command ?? (template && droplet.process_types[template.type]);
    if (command === undefined) throw invalid('Command or template process is required');
    const web = newest(
      store.process.filter((one) => one.app_guid === app.guid),
      'web',
    );
    const like = template ?? web;
    const { memory_mb, disk_mb, log_rate_limit } = config.defaults;
    const task = store.change((tx) => {
      const ended = mine.filter(({ state }) => state === 'SUCCEEDED' || state === 'FAILED');
      for (const { guid } of ended.slice(0, -KEPT)) tx.remove('task', guid);
      const made = tx.insert('task', {
        ...{
          app_guid: app.guid,
          sequence_id,
          command,
          droplet_guid: droplet.guid,
          state: 'PENDING',
          failure_reason: null,
        },
        name:
          body.name ??
          Math.floor(Math.random() * 0xffffffff)
            .toString(16)
            .padStart(8, '0'),
        memory_in_mb:
          body.memory_in_mb ?? template?.memory_in_mb ?? Math.min(memory_mb, like?.memory_in_mb ?? memory_mb),
        disk_in_mb: body.disk_in_mb ?? template?.disk_in_mb ?? disk_mb,
        log_rate_limit_in_bytes_per_second: body.log_rate_limit_in_bytes_per_second ?? log_rate_limit,
        user: body.user ?? null,
        metadata: mergeMetadata(noMetadata(), body.metadata),
      });
      recordApp(cc, tx, call.caller, 'audit.app.task.create', app, {
        task_guid: made.guid,
        request: { name: made.name, command: '[PRIVATE DATA HIDDEN]' },
      });
      return made;
    });
    return accepted(presentTask(cc, task));
  };

  const cancel = (call: Call): object => {
    const { row, app } = read(call);
    call.access.toDevelop(app.space_guid, 'Task');
    if (row.state === 'SUCCEEDED' || row.state === 'FAILED') {
      throw cfError('UnprocessableEntity', `Task state is ${row.state} and therefore cannot be canceled`);
    }
    const updated = store.change((tx) => {
      recordApp(cc, tx, call.caller, 'audit.app.task.cancel', app, { task_guid: row.guid });
      return tx.update('task', row.guid, { state: 'CANCELING' });
    });
    return accepted(presentTask(cc, updated));
  };

  return [
    get('/v3/tasks', (call) =>
      listOf(
        call,
        store.task.filter((one) => call.access.seesSpace(spaceOf(one))),
      ),
    ),
    get('/v3/apps/:guid/tasks', (call) => {
      const app = appOf(cc, call);
      return listOf(
        call,
        store.task.filter((one) => one.app_guid === app.guid),
      );
    }),
    post('/v3/apps/:guid/tasks', create),
    get('/v3/tasks/:guid', (call) => {
      const { row, app } = read(call);
      return presentTask(cc, row, !call.access.seesSecretsOf(app.space_guid));
    }),
    patch('/v3/tasks/:guid', (call) => {
      const { row, app } = read(call);
      call.access.toDevelop(app.space_guid, 'Task');
      const { metadata } = call.parse(z.strictObject({ metadata: metadataSchema.optional() }));
      return presentTask(
        cc,
        store.change((tx) => tx.update('task', row.guid, { metadata: mergeMetadata(row.metadata, metadata) })),
      );
    }),
    post('/v3/tasks/:guid/actions/cancel', cancel),
    put('/v3/tasks/:guid/cancel', cancel),
  ];
}
