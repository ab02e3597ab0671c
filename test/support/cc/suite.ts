/** The API, a BBS, a stager and a cell of fake machines, as `cf` uses them. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { Agent, request } from 'undici';
import type { Cloud, Json } from './cloud.js';
import { until } from '../unik.js';

const SITE = { 'index.html': 'hello' };
const QUIET = 'stack: unik\nhealth-check-type: process';

export function cloudSuite(name: string, open: () => Promise<Cloud>): void {
  describe(name, () => {
    let cloud: Cloud;
    beforeAll(async () => {
      cloud = await open();
    }, 120_000);
    afterAll(() => cloud.close(), 60_000);

    async function pushed(name: string, manifest = QUIET, files: Record<string, string> = SITE): Promise<string> {
      const { app, pkg } = await cloud.upload(name, files, manifest);
      const build = await cloud.build(pkg);
      expect(build).toMatchObject({ state: 'STAGED', error: null });
      const droplet = build['droplet'] as Json;
      await cloud.ok('PATCH', `/v3/apps/${app}/relationships/current_droplet`, { data: droplet });
      return app;
    }
    const instances = (stats: Json[]): unknown[] => stats.map(({ instance_guid }) => instance_guid);

    test('from bits to instances that run, and away without a trace', async () => {
      const app = await pushed('shop', `${QUIET}\nenv: {COLOUR: green}\nmemory: 64M`);
      const told = await cloud.said(app, 'API');
      expect(told.slice(0, 2)).toEqual([`Created app with guid ${app}`, `Applied manifest to app with guid ${app}`]);
      await cloud.ok('POST', `/v3/apps/${app}/actions/start`);
      await cloud.running(app, 1);
      expect(await cloud.ok('GET', `/v3/apps/${app}/droplets/current`)).toMatchObject({
        ...{ stack: 'unik', state: 'STAGED' },
        process_types: { web: expect.stringContaining('httpd') },
        buildpacks: [expect.objectContaining({ buildpack_name: 'unik' })],
      });

      const scaled = await cloud.call('POST', `/v3/apps/${app}/processes/web/actions/scale`, { instances: 3 });
      expect(scaled.status).toBe(202);
      const before = await cloud.running(app, 3);
      expect(new Set(instances(before)).size).toBe(3);

      expect((await cloud.call('DELETE', `/v3/apps/${app}/processes/web/instances/1`)).status).toBe(204);
      await cloud.until(
        'another comes in its place',
        app,
        (stats) => stats[1]?.['state'] === 'RUNNING' && stats[1]['instance_guid'] !== before[1]?.['instance_guid'],
      );
      expect((await cloud.call('DELETE', `/v3/apps/${app}/processes/web/instances/7`)).body).toMatchObject({
        errors: [{ code: 10_010, detail: 'Instance not found' }],
      });

      const env = await cloud.ok('GET', `/v3/apps/${app}/env`);
      expect(env).toMatchObject({
        environment_variables: { COLOUR: 'green' },
        application_env_json: { VCAP_APPLICATION: { application_id: app } },
      });
      const events = await cloud.list(`/v3/audit_events?target_guids=${app}`);
      expect(events.map(({ type }) => type)).toEqual(
        expect.arrayContaining([
          'audit.app.create',
          'audit.app.package.upload',
          'audit.app.build.staged',
          'audit.app.start',
          'audit.app.process.scale',
          'audit.app.process.terminate_instance',
          'audit.app.process.ready',
        ]),
      );

      await cloud.ok('POST', `/v3/apps/${app}/actions/stop`);
      await cloud.until('all are gone', app, (stats) => stats.every(({ state }) => state === 'DOWN'));
      await cloud.ok('POST', `/v3/apps/${app}/actions/start`);
      const [route] = await cloud.list(`/v3/apps/${app}/routes`);
      expect(route?.['url']).toBe('shop.apps.localhost');
      expect(await cloud.job(await cloud.call('DELETE', `/v3/apps/${app}`))).toEqual([]);
      expect(await cloud.job(await cloud.call('DELETE', `/v3/routes/${String(route?.['guid'])}`))).toEqual([]);
      expect((await cloud.call('GET', `/v3/apps/${app}`)).body).toMatchObject({
        errors: [{ detail: 'App not found' }],
      });
      const usage = (await cloud.list('/v3/app_usage_events')).filter((one) => (one['app'] as Json)['guid'] === app);
      expect(usage.map(({ state }) => (state as Json)['current'])).toEqual([
        ...['STAGING_STARTED', 'STAGING_STOPPED', 'BUILDPACK_SET', 'STARTED', 'STOPPED', 'STARTED', 'STOPPED'],
      ]);
      await until(
        'only the buildpack is kept',
        async () => ((await cloud.bits()).length === 1 ? true : undefined),
        20_000,
      );
    }, 240_000);

    test('a stack without a cell: the build says so, and which there are', async () => {
      const { pkg } = await cloud.upload('container', SITE, 'stack: cflinuxfs4');
      expect(await cloud.build(pkg)).toMatchObject({
        state: 'FAILED',
        error:
          "NoCompatibleCell - Found no compatible cell: no cell has the stack 'cflinuxfs4'; there are cells for: unik",
      });
    }, 60_000);

    test('what cannot be staged says why, and how to mend it', async () => {
      const { pkg } = await cloud.upload('unfit', { Procfile: 'web: cat x | sh\n', 'run.txt': 'x' });
      const { state, error } = await cloud.build(pkg);
      expect(state).toBe('FAILED');
      expect(error).toMatch(/^(BuildpackCompileFailed|StagingError) - .*\([a-z_]+\);? fix: /i);
    }, 120_000);

    test('only one build of an app at a time, of a package with bits', async () => {
      const { app, pkg } = await cloud.upload('twice', SITE);
      const first = await cloud.ok('POST', '/v3/builds', { package: { guid: pkg } });
      expect(await cloud.call('POST', '/v3/builds', { package: { guid: pkg } })).toMatchObject({
        status: 422,
        body: { errors: [{ code: 170_017, title: 'CF-StagingInProgress' }] },
      });
      const empty = await cloud.ok('POST', '/v3/packages', {
        type: 'bits',
        relationships: { app: { data: { guid: app } } },
      });
      expect((await cloud.call('POST', '/v3/builds', { package: { guid: empty['guid'] } })).body).toMatchObject({
        errors: [{ detail: 'Bad request: Cannot stage package whose state is not ready.' }],
      });
      // Deleted in the middle of it.
      expect(await cloud.job(await cloud.call('DELETE', `/v3/apps/${app}`))).toEqual([]);
      expect((await cloud.call('GET', `/v3/builds/${String(first['guid'])}`)).status).toBe(404);
    }, 120_000);

    test('a rolling deployment: never fewer than before; cancelled, it goes back', async () => {
      const app = await pushed('rolling', `${QUIET}\ninstances: 3`);
      await cloud.ok('POST', `/v3/apps/${app}/actions/start`);
      await cloud.running(app, 3);
      const relationships = { app: { data: { guid: app } } };
      const deployment = await cloud.ok('POST', '/v3/deployments', { relationships });
      let fewest = 9;
      const done = await until(
        'it is deployed',
        async () => {
          const processes = await cloud.list(`/v3/apps/${app}/processes`);
          const all = await Promise.all(
            processes.map(({ guid }) => cloud.call('GET', `/v3/processes/${String(guid)}/stats`)),
          );
          // A process may go between two questions.
          if (all.every(({ status }) => status === 200)) {
            const states = all.flatMap(({ body }) => (body['resources'] as Json[]).map(({ state }) => state));
            fewest = Math.min(fewest, states.filter((state) => state === 'RUNNING').length);
          }
          const now = await cloud.ok('GET', `/v3/deployments/${String(deployment['guid'])}`);
          return (now['status'] as Json)['value'] === 'FINALIZED' ? now : undefined;
        },
        90_000,
      );
      expect(done).toMatchObject({ state: 'DEPLOYED', status: { reason: 'DEPLOYED' } });
      expect(fewest).toBeGreaterThanOrEqual(3);
      const [only, ...others] = await cloud.list(`/v3/apps/${app}/processes`);
      expect([only?.['instances'], others]).toEqual([3, []]);
      await cloud.running(app, 3);

      // A new one that never becomes ready, so that there is time to think better of it.
      await cloud.ok('PATCH', `/v3/apps/${app}/environment_variables`, { var: { FAKE_START_DELAY_MS: '600000' } });
      const second = await cloud.ok('POST', '/v3/deployments', { relationships });
      expect((await cloud.call('POST', `/v3/apps/${app}/processes/web/actions/scale`, { instances: 5 })).status).toBe(
        422,
      );
      await cloud.ok('POST', `/v3/deployments/${String(second['guid'])}/actions/cancel`);
      expect(await cloud.ok('GET', `/v3/deployments/${String(second['guid'])}`)).toMatchObject({ state: 'CANCELED' });
      const [back, ...more] = await cloud.list(`/v3/apps/${app}/processes`);
      expect([back?.['guid'], back?.['instances'], more]).toEqual([only?.['guid'], 3, []]);
      await cloud.job(await cloud.call('DELETE', `/v3/apps/${app}`));
    }, 180_000);

    test('tasks end as their program does, are cancelled, and need a droplet', async () => {
      const app = await pushed('tasks', `${QUIET}\nenv: {FAKE_EXIT_AFTER_MS: 100}`);
      const run = (body: Json): Promise<Json> => cloud.ok('POST', `/v3/apps/${app}/tasks`, body);
      const ended = (task: Json): Promise<Json> =>
        until(
          'the task ends',
          async () => {
            const now = await cloud.ok('GET', `/v3/tasks/${String(task['guid'])}`);
            return now['state'] === 'SUCCEEDED' || now['state'] === 'FAILED' ? now : undefined;
          },
          60_000,
        );
      expect(await ended(await run({ command: '/usr/bin/httpd', name: 'fine' }))).toMatchObject({
        state: 'SUCCEEDED',
        sequence_id: 1,
      });
      await cloud.ok('PATCH', `/v3/apps/${app}/environment_variables`, { var: { FAKE_EXIT_CODE: '3' } });
      expect(await ended(await run({ command: '/usr/bin/httpd' }))).toMatchObject({
        state: 'FAILED',
        result: { failure_reason: expect.stringContaining('status 3') },
      });
      await cloud.ok('PATCH', `/v3/apps/${app}/environment_variables`, { var: { FAKE_EXIT_AFTER_MS: null } });
      const long = await run({ command: '/usr/bin/httpd' });
      await cloud.ok('PUT', `/v3/tasks/${String(long['guid'])}/cancel`);
      expect(await ended(long)).toMatchObject({ state: 'FAILED' });
      const bare = await cloud.upload('bare', SITE);
      expect((await cloud.call('POST', `/v3/apps/${bare.app}/tasks`, { command: 'x' })).status).toBe(422);
    }, 180_000);

    test('ended in the middle of staging and of running, it goes on where it was', async () => {
      const running = await pushed('stays');
      await cloud.ok('POST', `/v3/apps/${running}/actions/start`);
      const before = instances(await cloud.running(running, 1));
      const { pkg } = await cloud.upload('midway', SITE);
      const build = await cloud.ok('POST', '/v3/builds', { package: { guid: pkg } });
      await cloud.stop();
      await cloud.start();
      expect(await cloud.built(String(build['guid']))).toMatchObject({ state: 'STAGED' });
      expect(instances(await cloud.running(running, 1))).toEqual(before);
    }, 180_000);

    test('a crash is an event', async () => {
      const app = await pushed('crashing', `${QUIET}\nenv: {FAKE_EXIT_AFTER_MS: 300, FAKE_EXIT_CODE: 9}`);
      await cloud.ok('POST', `/v3/apps/${app}/actions/start`);
      const crash = await until(
        'the crash is told',
        async () => (await cloud.list(`/v3/audit_events?target_guids=${app}&types=app.crash`))[0],
        60_000,
      );
      expect(crash['data']).toMatchObject({
        index: 0,
        reason: 'CRASHED',
        exit_description: expect.stringContaining('status 9'),
      });
      await cloud.job(await cloud.call('DELETE', `/v3/apps/${app}`));
    }, 120_000);

    test('others see nothing of it, and nobody without a token', async () => {
      const { app } = await cloud.upload('secret', SITE);
      expect((await cloud.call('GET', `/v3/apps/${app}`, undefined, { token: '' })).status).toBe(401);
      await cloud.ok('POST', '/Users', {
        userName: 'eve',
        password: 'pass-word-1',
        emails: [{ value: 'eve@example.com' }],
        name: {},
      });
      const token = await cloud.login('eve', 'pass-word-1');
      for (const path of [
        `/v3/apps/${app}`,
        `/v3/apps/${app}/env`,
        `/v3/apps/${app}/processes/web/stats`,
        `/v3/processes/${app}`,
      ]) {
        expect((await cloud.call('GET', path, undefined, { token })).status).toBe(404);
      }
      expect((await cloud.ok('GET', '/v3/apps', undefined, { token }))['resources']).toEqual([]);
      expect(
        (
          await cloud.call('POST', `/v3/spaces/${cloud.space}/manifest_diff`, 'applications: []', {
            token,
            type: 'application/x-yaml',
          })
        ).status,
      ).toBe(404);
    }, 60_000);

    test('what is for the cell needs a certificate, and an address that was given', async () => {
      const url = await cloud.internal();
      const { ca_file, cert_file, key_file } = cloud.certificates;
      const [ca, cert, key] = await Promise.all([ca_file, cert_file, key_file].map((path) => readFile(path, 'utf8')));
      const stranger = new Agent({ connect: { ca: ca ?? '' } });
      await expect(request(`${url}/blobs/droplet/x`, { dispatcher: stranger })).rejects.toThrow();
      const known = new Agent({ connect: { ca: ca ?? '', cert: cert ?? '', key: key ?? '' } });
      const reply = await request(`${url}/builds/x/completed`, { dispatcher: known, method: 'POST', body: '{}' });
      expect(reply.statusCode).toBe(403);
      await reply.body.dump();
      await Promise.all([stranger.destroy(), known.destroy()]);
    });
  });
}
