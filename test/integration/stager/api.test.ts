/** The classic stager API before a BBS and a Cloud Controller made of lists. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { noLog } from '../../../core/log.js';
import { stagerApi, type StagingTasks } from '../../../stager/api/app.js';
import type { CloudController, Completion } from '../../../stager/api/cloud-controller.js';
import type { StagingDefinition } from '../../../stager/api/task.js';

let server: Server;
let url: string;
const desired = new Map<string, StagingDefinition>();
const cancelled: string[] = [];
const told: { guid: string; callback: string; completion: Completion }[] = [];
/** What the next call gives. */
const next = {
  annotation: '' as string | undefined | Error,
  desire: undefined as Error | undefined,
  cc: 200 as number | Error,
};

const tasks: StagingTasks = {
  async desire(guid, definition) {
    if (next.desire) throw next.desire;
    desired.set(guid, definition);
  },
  async annotation() {
    if (next.annotation instanceof Error) throw next.annotation;
    return next.annotation;
  },
  async cancel(guid) {
    cancelled.push(guid);
    throw new Error('its errors are only logged');
  },
};
const cloudController: CloudController = {
  async complete(guid, callback, completion) {
    if (next.cc instanceof Error) throw next.cc;
    told.push({ guid, callback, completion });
    return next.cc;
  },
  close: async () => undefined,
};

beforeAll(async () => {
  const places = {
    ...{ callback_url: 'http://stager:8888/', uploader_url: 'http://uploader/', file_server_url: 'http://files' },
    ...{ lifecycles: { unik: 'unik/lifecycle.tgz', other: 'https://x/l.tgz' }, privileged: false },
  };
  server = createServer(stagerApi({ tasks, cloudController, places, log: noLog }));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  desired.clear();
  for (const list of [cancelled, told]) list.length = 0;
  Object.assign(next, { annotation: undefined, desire: undefined, cc: 200 });
});

const DATA = {
  ...{ app_bits_download_uri: 'http://cc/bits', stack: 'unik', droplet_upload_uri: 'http://cc/droplet?a=b' },
  build_artifacts_cache_upload_uri: 'http://cc/cache',
};
const REQUEST = {
  ...{ app_id: 'app', file_descriptors: 512, memory_mb: 256, disk_mb: 512, timeout: 90, log_guid: 'log' },
  ...{ environment: [{ name: 'A', value: 'b' }], lifecycle: 'buildpack', lifecycle_data: DATA },
  completion_callback: 'http://cc/done',
};

async function ask(method: string, path: string, body?: unknown): Promise<{ status: number; text: string }> {
  const sent = typeof body === 'string' ? body : JSON.stringify(body);
  const reply = await fetch(`${url}${path}`, { method, ...(body === undefined ? {} : { body: sent }) });
  return { status: reply.status, text: await reply.text() };
}

describe('a request', () => {
  const put = (over: object = {}) => ask('PUT', '/v1/staging/guid', { ...REQUEST, ...over });

  test('becomes a task', async () => {
    expect(await put()).toEqual({ status: 202, text: '' });
    const { action, ...rest } = desired.get('guid') ?? {};
    expect(rest).toMatchObject({
      ...{
        root_fs: 'preloaded:unik',
        memory_mb: 256,
        disk_mb: 512,
        cpu_weight: 50,
        log_guid: 'log',
        log_source: 'STG',
      },
      ...{ result_file: '/tmp/result.json', privileged: false, placement_tags: [] },
      completion_callback_url: 'http://stager:8888/v1/staging/guid/completed',
      annotation: '{"lifecycle":"buildpack","completion_callback":"http://cc/done"}',
      cached_dependencies: [
        {
          from: 'http://files/v1/static/unik/lifecycle.tgz',
          to: '/tmp/lifecycle',
          cache_key: 'buildpack-unik-lifecycle',
        },
      ],
    });
    const { action: serial, timeout_ms } = action?.timeout_action ?? {};
    expect(timeout_ms).toBe(90_000n);
    const [app, staging, uploading, ...others] = serial?.serial_action?.actions ?? [];
    expect(others).toEqual([]);
    expect(app?.download_action).toMatchObject({ artifact: 'app package', from: 'http://cc/bits', to: '/tmp/app' });
    expect(staging?.emit_progress_action).toMatchObject({
      ...{ start_message: 'Staging...', success_message: 'Staging complete', failure_message_prefix: 'Staging failed' },
      action: {
        run_action: {
          path: '/tmp/lifecycle/builder',
          env: [
            { name: 'A', value: 'b' },
            { name: 'CF_STACK', value: 'unik' },
          ],
          resource_limits: { nofile: 512n },
        },
      },
    });
    const [droplet, cache] = uploading?.emit_progress_action?.action.parallel_action?.actions ?? [];
    expect(droplet?.upload_action?.to).toBe(
      'http://uploader/v1/droplet/app?cc-droplet-upload-uri=http%3A%2F%2Fcc%2Fdroplet%3Fa%3Db&timeout=90',
    );
    expect(cache?.try_action?.action.upload_action?.to).toBe(
      'http://uploader/v1/build_artifacts/app?cc-build-artifacts-upload-uri=http%3A%2F%2Fcc%2Fcache&timeout=90',
    );
  });

  test.each<[why: string, data: object, args: string[]]>([
    [
      'one buildpack may skip detection',
      { buildpacks: [{ name: 'a', key: 'k', url: 'u', skip_detect: true }] },
      ['-buildpackOrder=k', '-skipDetect=true'],
    ],
    [
      'of several none may',
      {
        buildpacks: [
          { name: 'a', key: 'k', url: 'u', skip_detect: true },
          { name: 'b', key: 'l', url: 'v' },
        ],
      },
      ['-buildpackOrder=k,l', '-skipDetect=false'],
    ],
    [
      'one of the user is named by its URL',
      { buildpacks: [{ name: 'custom', key: 'http://x/bp.zip', url: 'http://x/bp.zip', skip_detect: true }] },
      ['-buildpackOrder=http://x/bp.zip', '-skipDetect=true'],
    ],
  ])('%s', async (_why, data, args) => {
    expect((await put({ lifecycle_data: { ...DATA, ...data } })).status).toBe(202);
    const task = desired.get('guid');
    const serial = task?.action.timeout_action?.action.serial_action?.actions ?? [];
    const run = serial[1]?.emit_progress_action?.action.run_action;
    expect(run?.args).toEqual(expect.arrayContaining(args));
    const own = task?.cached_dependencies.filter(({ name }) => name !== '').map(({ name }) => name);
    expect(own).toEqual(JSON.stringify(data).includes('custom') ? [] : expect.arrayContaining(['a']));
  });

  test('without a timeout has 15 minutes, and a cache is fetched where there is one', async () => {
    const cached = { ...DATA, build_artifacts_cache_download_uri: 'http://cc/old', stack: 'other' };
    await put({ timeout: 0, lifecycle_data: cached, isolation_segment: 'far' });
    const task = desired.get('guid');
    expect(task?.action.timeout_action?.timeout_ms).toBe(900_000n);
    expect(task?.action.timeout_action?.action.serial_action?.actions[1]).toMatchObject({
      try_action: { action: { download_action: { artifact: 'build artifacts cache', from: 'http://cc/old' } } },
    });
    expect(task?.cached_dependencies[0]?.from).toBe('https://x/l.tgz');
    expect(task?.placement_tags).toEqual(['far']);
  });

  test.each<[why: string, body: unknown, status: number]>([
    ['that is no JSON', '{', 400],
    ['of other types', { ...REQUEST, memory_mb: 'much' }, 400],
    ['for docker', { ...REQUEST, lifecycle: 'docker' }, 404],
    ['without an application', { ...REQUEST, app_id: '' }, 500],
    ['without bits', { ...REQUEST, lifecycle_data: { ...DATA, app_bits_download_uri: '' } }, 500],
    ['without data', { ...REQUEST, lifecycle_data: undefined }, 500],
    ['for a stack that nothing stages', { ...REQUEST, lifecycle_data: { ...DATA, stack: 'constructor' } }, 500],
  ])('%s is refused', async (_why, body, status) => {
    const reply = await ask('PUT', '/v1/staging/guid', body);
    expect(reply.status).toBe(status);
    if (status === 500)
      expect(JSON.parse(reply.text)).toEqual({ error: { id: 'StagingError', message: 'staging failed' } });
    expect(desired.size).toBe(0);
  });

  test('that the BBS refuses tells nothing of it', async () => {
    next.desire = new Error('secret of the BBS');
    expect(await put()).toEqual({ status: 500, text: '{"error":{"id":"StagingError","message":"staging failed"}}' });
  });
});

describe('called off', () => {
  test.each<[why: string, annotation: string | undefined | Error, status: number, cancels: number]>([
    ['a task of ours', '{"lifecycle":"buildpack"}', 202, 1],
    ['no task', undefined, 404, 0],
    ['a task of others', 'note', 500, 0],
    ['a task nobody can look up', new Error('BBS is gone'), 500, 0],
  ])('%s', async (_why, annotation, status, cancels) => {
    next.annotation = annotation;
    expect((await ask('DELETE', '/v1/staging/guid')).status).toBe(status);
    expect(cancelled).toHaveLength(cancels);
  });
});

describe('completed', () => {
  const END = {
    ...{ task_guid: 'guid', failed: false, failure_reason: '', result: '{"process_types":{}}', created_at: 1 },
    annotation: '{"lifecycle":"buildpack","completion_callback":"http://cc/done"}',
  };

  test('the result is handed on', async () => {
    expect((await ask('POST', '/v1/staging/guid/completed', END)).status).toBe(200);
    expect(told).toEqual([{ guid: 'guid', callback: 'http://cc/done', completion: { result: { process_types: {} } } }]);
  });

  test.each([
    ['STG: Exited with status 222', 'NoAppDetectedError', 'staging failed'],
    ['STG: Exited with status 223', 'BuildpackCompileFailed', 'staging failed'],
    ['STG: Exited with status 224', 'BuildpackReleaseFailed', 'staging failed'],
    ['STG: Exited with status 225', 'StagingError', 'staging failed'],
    ['exceeded 15m0s timeout', 'StagingError', 'staging failed'],
    ['insufficient resources: memory', 'InsufficientResources', 'insufficient resources: memory'],
    ['found no compatible cell for x', 'NoCompatibleCell', 'found no compatible cell for x'],
    [
      'unable to communicate to compatible cells',
      'CellCommunicationError',
      'unable to communicate to compatible cells',
    ],
  ])('%s is %s', async (failure_reason, id, message) => {
    await ask('POST', '/v1/staging/guid/completed', { ...END, failed: true, failure_reason });
    expect(told.map(({ completion }) => completion)).toEqual([{ error: { id, message } }]);
  });

  test.each<[why: string, body: unknown, cc: number | Error, status: number]>([
    ['another task', { ...END, task_guid: 'other' }, 200, 400],
    ['no JSON', 'x', 200, 400],
    ['no annotation of ours', { ...END, annotation: '[]' }, 200, 400],
    ['no result', { ...END, result: '' }, 200, 400],
    ['a lifecycle nobody knows', { ...END, annotation: '{"lifecycle":"docker"}' }, 200, 404],
    ['a Cloud Controller that refuses', END, 422, 422],
    ['a Cloud Controller that is away', END, new Error('connection refused'), 503],
  ])('%s', async (_why, body, cc, status) => {
    next.cc = cc;
    expect((await ask('POST', '/v1/staging/guid/completed', body)).status).toBe(status);
  });
});
