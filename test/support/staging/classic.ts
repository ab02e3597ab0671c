/** The classic stager as a service before a ground's BBS, and a Cloud Controller that hears how staging ended. */
import { expect } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { z } from 'zod';
import { stagerSchema } from '../../../backend/stager/config.js';
import { startStager } from '../../../backend/stager/main.js';
import { noLog } from '../../../core/log.js';
import { freePorts } from '../diego/children.js';
import { Journal } from '../diego/journal.js';
import { resultSchema, type Staged, type StagingGround } from './ground.js';

interface Said {
  path: string;
  authorization: string | undefined;
  body: unknown;
}

export interface Classic {
  /** Resolves when Cloud Controller was told; `data`: of `lifecycle_data`, on top of what each request has. */
  stage(app_id: string, data: Record<string, unknown>): Promise<Omit<Staged, 'said'>>;
  /** The completion as Cloud Controller got it. */
  complete(app_id: string, data: Record<string, unknown>, env?: Record<string, string>): Promise<unknown>;
  close(): Promise<void>;
}

const PASSWORD = 'se:cret';

export async function startClassic(ground: StagingGround): Promise<Classic> {
  const { home, diego, origin } = ground;
  const said = new Journal<Said>();
  const cc = createServer((request, response) => {
    void json(request).then((body) => {
      said.add({ path: request.url ?? '', authorization: request.headers.authorization, body });
      response.writeHead(200).end();
    });
  });
  await new Promise<void>((resolve) => cc.listen(0, '127.0.0.1', resolve));
  const password_file = join(home, 'password');
  await writeFile(password_file, `${PASSWORD}\n`, { mode: 0o600 });
  const [port = 0] = await freePorts(1);
  const { ca: ca_file, cert: cert_file, key: key_file } = diego.certs;
  const stager = await startStager(
    stagerSchema.parse({
      listen_addr: `127.0.0.1:${port}`,
      callback_url: `http://127.0.0.1:${port}`,
      bbs: { url: diego.bbs_url, ca_file, cert_file, key_file },
      cloud_controller: {
        ...{ url: `http://127.0.0.1:${(cc.address() as AddressInfo).port}`, username: 'stager', password_file },
      },
      ...{ uploader_url: origin.url, file_server_url: origin.url },
      lifecycles: { unik: 'unik/lifecycle.tgz' },
    }),
    noLog,
  );
  const classic: Classic = {
    async complete(app_id, data, env = {}) {
      const guid = `staging-${app_id}`;
      const reply = await fetch(`${stager.url}/v1/staging/${guid}`, {
        method: 'PUT',
        body: JSON.stringify({
          ...{ app_id, file_descriptors: 16_384, memory_mb: 1024, disk_mb: 1024, timeout: 600 },
          ...{ environment: Object.entries(env).map(([name, value]) => ({ name, value })), log_guid: app_id },
          lifecycle: 'buildpack',
          lifecycle_data: {
            ...{ stack: 'unik', buildpacks: [], droplet_upload_uri: 'http://cc/droplet' },
            build_artifacts_cache_upload_uri: 'http://cc/cache',
            ...data,
          },
        }),
      });
      expect(reply.status).toBe(202);
      const path = `/internal/staging/${guid}/completed`;
      const [told] = await said.wait(`completion of ${guid}`, 240_000, (one) => one.path === path, 1);
      const basic = Buffer.from(`stager:${PASSWORD}`).toString('base64');
      expect(told?.authorization).toBe(`Basic ${basic}`);
      return told?.body;
    },
    async stage(app_id, data) {
      const { result } = z.strictObject({ result: resultSchema }).parse(await classic.complete(app_id, data));
      const up = await ground.uploaded(`/v1/droplet/${app_id}?`);
      expect(up.droplet.path).toBe(`/v1/droplet/${app_id}?cc-droplet-upload-uri=http%3A%2F%2Fcc%2Fdroplet&timeout=600`);
      return { result, ...up };
    },
    async close() {
      await stager.close();
      cc.closeAllConnections();
      cc.close();
    },
  };
  return classic;
}
