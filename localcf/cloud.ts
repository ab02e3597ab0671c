/** The Cloud Controller and its users: rows, what follows from them, and who may change them. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Undo } from '../core/undo.js';
import { ccJobs } from './cc/app.js';
import type { Cc } from './cc/cc.js';
import { createDiego } from './cc/diego/index.js';
import { createJobs } from './cc/jobs.js';
import type { DiegoPart } from './diego.js';
import { LOOPBACK, openSecret, type Ground } from './ground.js';
import type { LogsPart } from './logs.js';
import type { LocalCfOptions } from './options.js';
import { seed } from './seed.js';
import { keepStacks } from './stacks.js';
import { adminSecrets, clientsOf, seedAdmin, type AdminSecrets } from './uaa/seed.js';
import { openTokens } from './uaa/tokens.js';
import { Uaa } from './uaa/uaa.js';

export interface CloudPart {
  cc: Cc;
  uaa: Uaa;
  admin: AdminSecrets;
}

interface Beside {
  undo: Undo;
  diego: DiegoPart;
  logs: LogsPart;
}

export async function openCloud(options: LocalCfOptions, ground: Ground, beside: Beside): Promise<CloudPart> {
  const { home, config, clock, log, shipped } = options;
  const { store, blobs, known_files, tls, ports, outer, api_url } = ground;
  const { undo, logs } = beside;
  const { bbs, bbs_url } = beside.diego;
  const admin = await adminSecrets(join(home, 'admin.json'));
  const tokens = await openTokens({ file: join(home, 'uaa-key.json'), issuer: `${api_url}/oauth/token`, clock });
  const uaa = new Uaa({ store, tokens, clients: clientsOf(admin), clock });
  await seedAdmin(store, admin);

  const jobs = createJobs(store, log);
  const diego = await createDiego({
    ...{ store, blobs, tls, bbs_url, clock, api_url, log: log.child({ part: 'cc' }) },
    logs: logs.app_logs,
    internal: { host: LOOPBACK, port: ports['internal'] ?? 0 },
    key: await openSecret(join(home, 'signing.key')),
    lifecycle: { path: shipped.lifecycle, sha256: await digestOf(shipped.lifecycle) },
    max_upload_bytes: config.limits.droplet_bytes,
  });
  undo.push('cc', () => diego.close());
  undo.push('jobs', () => jobs.close());
  const cc: Cc = {
    ...{ store, jobs, blobs, known_files, diego, clock, log: log.child({ part: 'cc' }) },
    config: {
      ...{ api_url, apps_domain: config.apps_domain, router_port: outer['router'] ?? 0 },
      ...{ uaa_url: api_url, log_cache_url: config.logs?.url ?? api_url, ssh: null },
      // What goes to another's agent, its own gateway streams.
      log_stream_url: config.logs ? null : api_url,
      ...{ defaults: config.defaults, limits: config.limits },
    },
    authenticate: (authorization) => uaa.caller(authorization),
  };
  await seed(cc, shipped);
  const expected = config.cells > 0 ? config.stacks : [];
  undo.push('stacks', keepStacks({ store, bbs, clock, log, api_url, expected, default_stack: config.default_stack }));
  ccJobs(cc);
  jobs.resume();
  return { cc, uaa, admin };
}

async function digestOf(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
}
