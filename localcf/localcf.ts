/** Cloud Foundry on one machine: makes its parts in order and joins them. */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { followInstances } from '../backend/wire/bbs-events.js';
import { createBbs } from '../backend/wire/bbs.js';
import type { Envelope } from '../backend/wire/loggregator.js';
import type { Clock } from '../core/clock.js';
import { hasCode } from '../core/errors.js';
import { writeFileAtomic } from '../core/json-file.js';
import type { Log } from '../core/log.js';
import { readIdentity, type IdentityFiles, type TlsIdentity } from '../core/tls.js';
import { Undo } from '../core/undo.js';
import { createEmbedded } from './bbs/index.js';
import { ccJobs, ccRoutes } from './cc/app.js';
import { openResourceCache } from './cc/bits/resources.js';
import { Blobs } from './cc/blobs.js';
import type { Cc } from './cc/cc.js';
import { createDiego } from './cc/diego/index.js';
import { storeLogs } from './cc/diego/logs.js';
import { ccApp } from './cc/http.js';
import { createJobs } from './cc/jobs.js';
import { openStore, type Store } from './cc/store.js';
import { cellConfig } from './cell-config.js';
import { livingCells, startCells, type Cells } from './cells.js';
import { openCertificates } from './certificates.js';
import type { LocalCfConfig } from './config.js';
import { emptyDiego } from './empty.js';
import { startFeed } from './feed.js';
import { serveFront } from './front.js';
import { logAccess } from './log-access.js';
import { createGateway, createStore, serveIngress } from './logcache/index.js';
import { pageApp } from './page/app.js';
import { tapped } from './page/lines.js';
import { platformSource } from './page/platform.js';
import { openPorts } from './ports.js';
import { startRouter, type AccessRecord } from './router/index.js';
import { remoteLogs } from './remote-logs.js';
import { seed } from './seed.js';
import { keepStacks } from './stacks.js';
import { uaaApp } from './uaa/app.js';
import { adminSecrets, clientsOf, seedAdmin, type AdminSecrets } from './uaa/seed.js';
import { openTokens } from './uaa/tokens.js';
import { Uaa } from './uaa/uaa.js';

export interface LocalCfOptions {
  /** All state lies here. */
  home: string;
  config: LocalCfConfig;
  /** What `node` is given to run `unik`. */
  command: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  /** Files of the release: `unik_app_lifecycle.tgz`, the buildpack's zip. */
  shipped: { lifecycle: string; buildpack: string };
  clock: Clock;
  log: Log;
}

export interface LocalCf {
  api_url: string;
  router_url: string;
  admin: AdminSecrets;
  store: Store;
  /** Ends all machines and cells; apps stay what they are and run again at the next start. Then as `close`. */
  drain(): Promise<void>;
  /** Ends our part: machines and cells stay. */
  close(): Promise<void>;
}

const LOGS = { max_per_source: 5_000, max_bytes: 256 * 2 ** 20 };
const RESOURCES_BYTES = 2 * 2 ** 30;
/** Machines have 10 s to end, and much of that at once makes a small machine slow. */
const DRAIN_MS = 60_000;
/** Diego's half minute is for hundreds of cells. */
const CONVERGE_MS = 5_000;

export async function startLocalCf(options: LocalCfOptions): Promise<LocalCf> {
  const undo = new Undo();
  try {
    return await joined(options, undo);
  } catch (err) {
    await undo.unwind(options.log);
    throw err;
  }
}

async function joined(options: LocalCfOptions, undo: Undo): Promise<LocalCf> {
  const { home, config, clock, log, shipped } = options;
  await mkdir(home, { recursive: true, mode: 0o700 });
  const names = Array.from({ length: config.cells }, (_, n) => `cell-${n}`);
  const host = '127.0.0.1';
  const inner = Object.fromEntries(
    [
      'bbs',
      'locket',
      'auctioneer',
      'internal',
      'agent',
      ...names.flatMap((name) => [`${name}.rep`, `${name}.admin`]),
    ].map((name) => [name, 0]),
  );
  const outerHost = (name: string): string => (name === 'router' ? config.router : config.api).host;
  const outer = await openPorts(join(home, 'outer-ports.json'), outerHost, {
    ...{ api: config.api.port, router: config.router.port },
  });
  const api_url = `http://${config.api.host}:${outer['api'] ?? 0}`;

  const store = await openStore({ folder: join(home, 'cc'), clock });
  undo.push('store', () => store.close());
  const blobs = await Blobs.open(join(home, 'blobs'));
  const known_files = await openResourceCache(join(home, 'resources'), RESOURCES_BYTES);

  const own = await openCertificates(join(home, 'certificates'), clock.now());
  const files = config.diego?.tls ?? own.files;
  const tls = config.diego ? await readIdentity(files, 'diego.tls') : own.identity;
  const cells_folder = join(home, 'cells');
  const living = await livingCells(cells_folder, names);
  const isHeld = (name: string): boolean => living.has(name.replace(/\.(rep|admin)$/, ''));
  const ports = await openPorts(join(home, 'ports.json'), () => host, inner, isHeld);

  let diegoAt = config.diego;
  if (!diegoAt) {
    const embedded = await createEmbedded({
      ...{ home: join(home, 'diego'), tls, clock, log: log.child({ part: 'diego' }), converge_ms: CONVERGE_MS },
      ports: { bbs: ports['bbs'] ?? 0, locket: ports['locket'] ?? 0, auctioneer: ports['auctioneer'] ?? 0 },
    });
    undo.push('diego', () => embedded.close());
    diegoAt = { bbs_url: embedded.bbs_url, locket_address: embedded.locket_address, tls: files };
  }
  const { bbs_url, locket_address } = diegoAt;
  const bbs = createBbs({ url: bbs_url, tls, clock, timeout_ms: 10_000 });
  undo.push('bbs client', () => bbs.close());

  const { store: logs, onLine } = tapped(createStore(LOGS));
  const ingress = await serveIngress({ tls, port: ports['agent'] ?? 0, take: (envelopes) => logs.put(envelopes) });
  undo.push('logs', () => ingress.close());

  // Before anything is placed: what finds no cell waits for the next convergence.
  const each_mb = Math.max(512, Math.floor((totalmem() / 2 ** 20 - 1_024) / Math.max(1, config.cells)));
  const cells: Cells = await startCells({
    folder: cells_folder,
    configs: new Map(
      names.map((name) => [
        name,
        cellConfig({
          ...{ name, ports, files, stacks: config.stacks, bbs_url, locket_address, memory_mb: each_mb },
          ...{
            agent: config.logs?.agent ?? ingress.address,
            agent_files: config.logs?.tls,
            nats: config.nats,
            log_level: config.log_level,
          },
          over: config.cell,
        }),
      ]),
    ),
    ...{ command: options.command, env: options.env, tls, clock, log },
  });
  undo.push('cells', () => cells.close());

  const secrets = await adminSecrets(join(home, 'admin.json'));
  const tokens = await openTokens({ file: join(home, 'uaa-key.json'), issuer: `${api_url}/oauth/token`, clock });
  const uaa = new Uaa({ store, tokens, clients: clientsOf(secrets), clock });
  await seedAdmin(store, secrets);

  const remote = config.logs && remoteLogs({ ...config.logs, tls: await agentIdentity(config.logs.tls, tls), log });
  if (remote) undo.push('remote logs', () => remote.close());
  const appLogs = remote ?? storeLogs(logs, clock);
  const jobs = createJobs(store, log);
  const diego = await createDiego({
    ...{ store, blobs, tls, bbs_url, clock, api_url, log: log.child({ part: 'cc' }) },
    logs: appLogs,
    internal: { host, port: ports['internal'] ?? 0 },
    key: await openKey(join(home, 'signing.key')),
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
      ...{ defaults: config.defaults, limits: config.limits },
    },
    authenticate: (authorization) => uaa.caller(authorization),
  };
  await seed(cc, shipped);
  const unstack = keepStacks({
    ...{ store, bbs, clock, log, api_url, default_stack: config.default_stack },
    expected: config.cells > 0 ? config.stacks : [],
  });
  undo.push('stacks', unstack);
  ccJobs(cc);
  jobs.resume();

  let router_url = `http://${config.router.host}:${outer['router'] ?? 0}`;
  if (!config.nats) {
    const router = await startRouter({
      ...{ ...config.router, port: outer['router'] ?? 0, clock, log: log.child({ part: 'router' }) },
      access: (record) => logs.put([accessEnvelope(record)]),
    });
    router_url = router.url;
    undo.push('router', () => router.close());
    const feed = startFeed({
      ...{ router, bbs, clock, log },
      follow: (changed, signal) => followInstances({ url: bbs_url, tls, clock, log }, changed, signal),
    });
    undo.push('route feed', () => feed.close());
  }

  const source = platformSource({
    ...{ cc, bbs, logs, onLine, clock, router_url, tls },
    admin: (cell_id) => (names.includes(cell_id) ? `${host}:${ports[`${cell_id}.admin`] ?? 0}` : undefined),
  });
  undo.push('page', () => source.close());
  const page = pageApp({
    ...{ source, stack: config.stacks[0] ?? 'unik', log: log.child({ part: 'page' }) },
    owners: /^\d+$/.test(options.env['SUDO_UID'] ?? '') ? [Number(options.env['SUDO_UID'])] : [],
  });
  const front = await serveFront({
    ...{ host: config.api.host, port: outer['api'] ?? 0 },
    parts: {
      api: ccApp(cc, ccRoutes(cc)) as RequestListener,
      uaa: uaaApp({ uaa, url: api_url, log }) as RequestListener,
      log_cache: createGateway({ store: logs, clock, mayRead: logAccess(store, cc.authenticate) }),
      page,
    },
  });
  undo.push('api', () => front.close());

  let ended: Promise<void> | undefined;
  const close = (): Promise<void> => (ended ??= undo.unwind(log));
  return {
    ...{ api_url, router_url, admin: secrets, store, close },
    async drain() {
      await front.close();
      await diego.close();
      if (!config.diego) await emptyDiego(bbs, clock, DRAIN_MS);
      await cells.drain(DRAIN_MS);
      await close();
    },
  };
}

const agentIdentity = async (files: IdentityFiles | undefined, usual: TlsIdentity): Promise<TlsIdentity> =>
  files ? readIdentity(files, 'logs.tls') : usual;

async function openKey(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (err) {
    if (!hasCode(err, 'ENOENT')) throw err;
    const key = randomBytes(32);
    await writeFileAtomic(file, key);
    return key;
  }
}

async function digestOf(path: string): Promise<string> {
  const { createHash } = await import('node:crypto');
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
}

const accessEnvelope = ({ source_id, instance_id, source_type, tags, text, at }: AccessRecord): Envelope => ({
  timestamp: BigInt(Math.round(at * 1_000)) * 1_000n,
  ...{ source_id, instance_id, deprecated_tags: {}, tags: { ...tags, source_type } },
  log: { payload: Buffer.from(text), type: 'OUT' },
});
