/** From the bits of `cf push` to an answer: staged through a BBS on our cell, then run from that droplet. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { z } from 'zod';
import { startCell, type Cell } from '../../../backend/cell/cell.js';
import { loadCellConfig } from '../../../backend/cell/config.js';
import { makeCellParts } from '../../../backend/cell/parts.js';
import { startStager } from '../../../backend/stager/main.js';
import { stagerSchema } from '../../../backend/stager/config.js';
import { systemClock } from '../../../core/clock.js';
import { noLog } from '../../../core/log.js';
import { Heard } from '../cell.js';
import { configOf } from '../cell/cell.js';
import { controlOf, urlOf, type Control } from '../cell/control.js';
import { listenForCallbacks, type CallbackSink } from '../diego/callbacks.js';
import { freePorts } from '../diego/children.js';
import type { Diego } from '../diego/diego.js';
import { readFile } from 'node:fs/promises';
import { APPS, EXPECTED, type FixtureApp } from '../fixture-apps.js';
import { fetchUntil200, processesOf, until } from '../unik.js';
import { ownLifecycle, zipOf } from './bits.js';
import { ACCOUNTS } from './bench.js';
import { startOrigin, type Origin } from './origin.js';
import { stagingTask } from './task.js';

/** What Cloud Controller takes (`staging_completion_handler.rb`). */
const resultSchema = z.looseObject({
  execution_metadata: z.string(),
  lifecycle_type: z.literal('buildpack'),
  lifecycle_metadata: z.looseObject({
    detected_buildpack: z.string(),
    buildpack_key: z.string().optional(),
    buildpacks: z
      .array(z.looseObject({ key: z.string(), name: z.string().optional(), version: z.string().optional() }))
      .optional(),
  }),
  process_types: z.record(z.string(), z.string()),
});

export function stagingSuite(name: string, startDiego: () => Promise<Diego>): void {
  describe(name, () => {
    let home: string;
    let diego: Diego;
    let control: Control;
    let origin: Origin;
    let callbacks: CallbackSink;
    let cell: Cell;
    let bits: (app: FixtureApp) => Promise<{ url: string; sha256: string }>;
    let lifecycle: { url: string; sha256: string };
    const heard = new Heard();

    beforeAll(async () => {
      home = await realpath(await mkdtemp(join(tmpdir(), 'uks-')));
      diego = await startDiego();
      control = await controlOf(diego);
      origin = await startOrigin();
      const [ca = '', cert = '', key = ''] = await Promise.all(
        [diego.certs.ca, diego.certs.cert, diego.certs.key].map((path) => readFile(path, 'utf8')),
      );
      callbacks = await listenForCallbacks({ ca, cert, key });
      lifecycle = origin.add('v1/static/unik/lifecycle.tgz', await ownLifecycle());
      bits = async (app) => origin.add(`${app}.zip`, await zipOf(join(APPS, app)));
      const [rep = 0, admin = 0] = await freePorts(2);
      const file = join(home, 'cell.json');
      const staging = { network: 'off', accounts: ACCOUNTS };
      await writeFile(
        file,
        JSON.stringify(configOf({ diego, home, cell_id: 'cell-s', memory_mb: 3072, config: { staging } }, rep, admin)),
      );
      const config = await loadCellConfig(file);
      const parts = await makeCellParts(config, { clock: systemClock, log: noLog, sink: heard });
      cell = await startCell({ config, parts, clock: systemClock, log: noLog, signal: new AbortController().signal });
    }, 240_000);
    afterAll(async () => {
      await cell.close();
      callbacks.close().catch(() => undefined);
      await control.close();
      await diego.close();
      origin.close();
      expect(await processesOf(home)).toEqual([]);
      await rm(home, { recursive: true, force: true });
    }, 60_000);

    /** Runs what was uploaded, as Cloud Controller would, and asks it. */
    async function answers(app: FixtureApp, path: string, command: string | undefined): Promise<void> {
      const upload = origin.uploads.find((one) => one.path.startsWith(path));
      if (!upload) throw new Error(`nothing was uploaded to ${path}`);
      const droplet = origin.add(`${app}.droplet`, upload.bytes);
      const process_guid = `run-${app}`;
      await control.desire({
        ...{ process_guid, droplet, memory_mb: 64, disk_mb: 128, start_timeout_ms: 180_000 },
        command: command ?? '',
      });
      const [lrp] = await control.running(process_guid, 1, 240_000);
      if (!lrp) throw new Error('none runs');
      expect(await fetchUntil200(`${urlOf(lrp)}/`, 60_000)).toBe(EXPECTED[app].body);
      await control.remove(process_guid);
      await control.gone(process_guid);
    }

    test('a static site, as a task of Cloud Controller', async () => {
      const guid = 'build-static';
      const task_definition = stagingTask({
        ...{ guid, bits: await bits('static'), lifecycle, uploader: origin.url },
        callback: callbacks.url(guid),
      });
      await control.bbs.call('desire_task', { task_guid: guid, domain: 'cf-app-staging', task_definition });
      const [ended] = await callbacks.wait(guid, 180_000);
      expect(ended?.body).toMatchObject({ task_guid: guid, failed: false, failure_reason: '' });
      const result = resultSchema.parse(JSON.parse(String(ended?.body['result'])));
      expect(result.process_types['web']).toBeDefined();
      const told = heard.lines.filter((line) => line.startsWith('STG '));
      expect(told).toEqual(
        expect.arrayContaining([
          'STG out Downloading app package...',
          expect.stringMatching(/^STG out -----> /),
          expect.stringMatching(/sha256:[0-9a-f]{12}/),
          'STG out Exit status 0',
          'STG out Uploading complete',
        ]),
      );
      await answers('static', `/v1/droplet/${guid}?`, result.process_types['web']);
    }, 600_000);

    test('a Node.js application, through the classic stager', async () => {
      const cc = await startCloudController();
      const password_file = join(home, 'password');
      await writeFile(password_file, 'se:cret\n', { mode: 0o600 });
      const [port = 0] = await freePorts(1);
      const stager = await startStager(
        stagerSchema.parse({
          listen_addr: `127.0.0.1:${port}`,
          callback_url: `http://127.0.0.1:${port}`,
          bbs: {
            ...{ url: diego.bbs_url, ca_file: diego.certs.ca },
            ...{ cert_file: diego.certs.cert, key_file: diego.certs.key },
          },
          cloud_controller: { url: cc.url, username: 'stager', password_file },
          ...{ uploader_url: origin.url, file_server_url: origin.url },
          lifecycles: { unik: 'unik/lifecycle.tgz' },
        }),
        noLog,
      );
      try {
        const { url, sha256 } = await bits('node-bare');
        const reply = await fetch(`${stager.url}/v1/staging/build-node`, {
          method: 'PUT',
          body: JSON.stringify({
            ...{ app_id: 'node-app', file_descriptors: 16_384, memory_mb: 1024, disk_mb: 1024, timeout: 600 },
            ...{ environment: [{ name: 'A', value: 'b' }], log_guid: 'node-app', lifecycle: 'buildpack' },
            lifecycle_data: {
              ...{ app_bits_download_uri: url, app_bits_checksum: { type: 'sha256', value: sha256 }, stack: 'unik' },
              ...{
                buildpacks: [],
                droplet_upload_uri: 'http://cc/droplet',
                build_artifacts_cache_upload_uri: 'http://cc/c',
              },
            },
          }),
        });
        expect(reply.status).toBe(202);
        const said = await until('the completion', async () => cc.said[0], 240_000);
        expect(said).toMatchObject({
          path: '/internal/staging/build-node/completed',
          authorization: `Basic ${Buffer.from('stager:se:cret').toString('base64')}`,
        });
        const { result } = z.strictObject({ result: resultSchema }).parse(said.body);
        const [upload] = origin.uploads.filter(({ path }) => path.startsWith('/v1/droplet/node-app?'));
        expect(upload?.path).toBe('/v1/droplet/node-app?cc-droplet-upload-uri=http%3A%2F%2Fcc%2Fdroplet&timeout=600');
        await answers('node-bare', '/v1/droplet/node-app?', result.process_types['web']);
      } finally {
        await stager.close();
        cc.server.close();
      }
    }, 600_000);
  });
}

interface Said {
  path: string;
  authorization: string | undefined;
  body: unknown;
}

async function startCloudController(): Promise<{ url: string; said: Said[]; server: Server }> {
  const said: Said[] = [];
  const server = createServer((request, response) => {
    void json(request).then((body) => {
      said.push({ path: request.url ?? '', authorization: request.headers.authorization, body });
      response.writeHead(200).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, said, server };
}
