/** Makes an app what a manifest says. Only what the manifest names changes (CC `app_apply_manifest.rb`). */
import { randomInt } from 'node:crypto';
import type { Caller } from '../access.js';
import type { Cc } from '../cc.js';
import { CfError, invalid, type CfErrorName } from '../errors.js';
import type { AppPart, ProcessPart, RoutePart } from '../manifest/part.js';
import { isRouteText, splitRoute } from '../manifest/route-text.js';
import { mergeMetadata } from '../metadata.js';
import { noMetadata, type App, type Destination, type Process, type Space } from '../model.js';
import { checkOf } from '../resources/processes.js';
import type { Tx } from '../store.js';
import { lifecycleOf, recordApp } from './apps.js';
import { freshProcess, newest } from './defaults.js';
import { createRoute, defaultDomain, findRoute, mapRoute, servesOrg, unmapRoute } from './routes.js';
import { scaleProcess } from './scale.js';

export function applyManifest(cc: Cc, tx: Tx, caller: Caller, guid: string, part: AppPart): App {
  const { store } = cc;
  let app = existing(cc, guid);
  const space = store.space.get(app.space_guid);
  if (!space) throw invalid('The space of this app is gone');
  const { features, metadata, env } = part;
  app = tx.update('app', guid, {
    ...(features ? { features: { ...app.features, ...features } } : {}),
    ...(metadata ? { metadata: mergeMetadata(app.metadata, metadata) } : {}),
    ...(env ? { environment: { ...app.environment, ...env } } : {}),
    ...(part.stack === undefined && part.buildpacks === undefined
      ? {}
      : {
          lifecycle: lifecycleOf(store, app.lifecycle, {
            data: {
              ...(part.stack === undefined ? {} : { stack: part.stack }),
              ...(part.buildpacks === undefined ? {} : { buildpacks: part.buildpacks }),
            },
          }),
        }),
  });
  for (const one of part.processes) applyProcess(cc, tx, caller, app, one);
  for (const sidecar of part.sidecars ?? []) {
    const known = store.sidecar.find((one) => one.app_guid === guid && one.name === sidecar.name);
    if (known) tx.update('sidecar', known.guid, sidecar);
    else tx.insert('sidecar', { app_guid: guid, ...sidecar });
  }
  applyRoutes(cc, tx, caller, { app, space, part });
  for (const service of part.services ?? []) bind(cc, tx, app, service);
  recordApp(cc, tx, caller, 'audit.app.apply_manifest', app, { request: { manifest: '[PRIVATE DATA HIDDEN]' } });
  return app;
}

function existing({ store }: Cc, guid: string): App {
  const app = store.app.get(guid);
  if (!app) throw invalid('The app was deleted while its manifest was applied');
  return app;
}

function applyProcess(cc: Cc, tx: Tx, caller: Caller, app: App, part: ProcessPart): void {
  const { store, config } = cc;
  const { type, command, health_check, readiness_health_check, ...scale } = part;
  const process: Process =
    newest(
      store.process.filter((one) => one.app_guid === app.guid),
      type,
    ) ?? tx.insert('process', freshProcess(config, app.guid, type));
  const most = config.defaults.max_health_check_timeout_s;
  const order = (check: ProcessPart['health_check']): Parameters<typeof checkOf>[1] => {
    if (!check) return undefined;
    const { type: kind, ...data } = check;
    return { ...(kind === undefined ? {} : { type: kind }), data };
  };
  const updated = tx.update('process', process.guid, {
    ...(command === undefined ? {} : { command }),
    health_check: checkOf(process.health_check, order(health_check), most),
    readiness_health_check: checkOf(process.readiness_health_check, order(readiness_health_check), most),
  });
  if (Object.keys(scale).length > 0) scaleProcess(cc, tx, caller, updated, scale);
}

interface Routing {
  app: App;
  space: Space;
  part: AppPart;
}

function applyRoutes(cc: Cc, tx: Tx, caller: Caller, routing: Routing): void {
  const { store } = cc;
  const { app, space, part } = routing;
  const mine = store.destination.filter((one) => one.app_guid === app.guid);
  if (part.no_route) {
    for (const one of mine) unmapRoute(cc, tx, caller, one);
    return;
  }
  for (const route of part.routes ?? []) applyRoute(cc, tx, caller, routing, route);
  if ((part.routes?.length ?? 0) > 0 || mine.length > 0) return;
  if (!part.random_route && !part.default_route) return;
  const domain = defaultDomain(store, space.org_guid);
  const plain = app.name.toLowerCase();
  if (!/^[\w-]+$/.test(plain)) {
    throw invalid(
      'Failed to create default route from app name: Host must be either "*" or contain only alphanumeric characters, "_", or "-"',
    );
  }
  const host = (part.random_route ? `${plain}-${randomName()}` : plain).slice(0, 63);
  applyRoute(cc, tx, caller, routing, { route: `${host}.${domain.name}` });
}

function applyRoute(cc: Cc, tx: Tx, caller: Caller, { app, space }: Routing, part: RoutePart): void {
  const { store } = cc;
  if (!isRouteText(part.route)) throw invalid(`The route '${part.route}' is not a properly formed URL`);
  const domains = store.domain.filter((one) => servesOrg(one, space.org_guid));
  const name = splitRoute(part.route, domains);
  if (!name) throw invalid(`The route '${part.route}' did not match any existing domains.`);
  const options = part.options === undefined ? {} : { options: part.options };
  const known = findRoute(store, name);
  if (known && known.space_guid !== space.guid) {
    throw invalid(`Routes cannot be mapped to destinations in different spaces`);
  }
  const route = known ?? createRoute(cc, tx, caller, { space, ...name, ...options });
  if (known && part.options !== undefined)
    tx.update('route', known.guid, { options: { ...known.options, ...part.options } });
  const isTcp = name.domain.router_group !== null;
  const protocol: Destination['protocol'] = part.protocol ?? (isTcp ? 'tcp' : 'http1');
  const made = mapRoute(cc, tx, caller, route, { app, process_type: 'web', port: null, weight: null, protocol });
  if (made.protocol !== protocol) tx.update('destination', made.guid, { protocol });
}

function bind({ store }: Cc, tx: Tx, app: App, { name, binding_name }: { name: string; binding_name?: string }): void {
  const instance = store.service_instance.find((one) => one.space_guid === app.space_guid && one.name === name);
  if (!instance) throw invalid(`Service instance '${name}' not found`);
  const same = store.service_binding.find(
    (one) => one.app_guid === app.guid && one.service_instance_guid === instance.guid,
  );
  if (same) return;
  const { credentials, syslog_drain_url } = instance;
  tx.insert('service_binding', {
    ...{ type: 'app', name: binding_name ?? null, app_guid: app.guid, service_instance_guid: instance.guid },
    ...{ credentials, syslog_drain_url, metadata: noMetadata() },
  });
}

const ADJECTIVES = [
  'brave',
  'calm',
  'clever',
  'eager',
  'fair',
  'gentle',
  'happy',
  'jolly',
  'kind',
  'lively',
  'quick',
  'quiet',
  'shiny',
  'silly',
  'sunny',
  'wise',
];
const NOUNS = [
  'badger',
  'bear',
  'crane',
  'eagle',
  'fox',
  'gecko',
  'hare',
  'ibex',
  'koala',
  'lynx',
  'otter',
  'panda',
  'raven',
  'seal',
  'wolf',
  'zebra',
];

function randomName(): string {
  const one = (words: readonly string[]): string => words[randomInt(words.length)] ?? '';
  return `${one(ADJECTIVES)}-${one(NOUNS)}-${randomInt(36 ** 2).toString(36)}`;
}

/** Faults of one app name it, as CC tells them. */
export function naming<T>(name: string, work: () => T): T {
  try {
    return work();
  } catch (err) {
    if (!(err instanceof CfError)) throw err;
    const isFault = err.errors.every(({ title }) => FAULTS.has(title));
    if (!isFault) throw err;
    throw new CfError(
      err.status,
      err.errors.map((one) => ({ ...one, detail: `For application '${name}': ${one.detail}` })),
    );
  }
}

const FAULTS = new Set(
  (['UnprocessableEntity', 'UniquenessError'] satisfies CfErrorName[]).map((name) => `CF-${name}`),
);
