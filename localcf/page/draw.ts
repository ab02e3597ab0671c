/** Pure: the tables and what the BBS says, as the page shows it. */
import type { ActualLRP, CellPresence } from '../../protos/generated.js';
import { stateOf } from '../cc/diego/stats.js';
import { processOf } from '../cc/recipes/desired-lrp.js';
import type { App, Droplet, Process } from '../cc/model.js';
import type { Store } from '../cc/store.js';
import type { PageApp, PageCell, PageInstance, PageProcess } from './source.js';

export interface Facts {
  store: Store;
  lrps: readonly ActualLRP[];
  /** `http://host:port` of the router: apps answer there under their names. */
  router_url: string;
  boot_ms: (instance: string) => number | null;
  memory_bytes: (app: App, process: Process, index: number) => number | null;
}

export function pageApps(facts: Facts): PageApp[] {
  return facts.store.app.all().map((app) => pageApp(app, facts));
}

function pageApp(app: App, facts: Facts): PageApp {
  const { store } = facts;
  const space = store.space.get(app.space_guid);
  const org = store.org.get(space?.org_guid ?? '');
  const stack = app.lifecycle.type === 'docker' ? null : app.lifecycle.data.stack;
  const made = imageOf(store.droplet.get(app.droplet_guid ?? ''));
  const row = store.stack.find(({ name }) => name === stack);
  return {
    guid: app.guid,
    name: app.name,
    place: `${org?.name ?? '?'} / ${space?.name ?? '?'}`,
    started: app.state === 'STARTED',
    stack: stack ?? app.lifecycle.type,
    guest: made?.guest ?? null,
    provider: row?.metadata.annotations['unik-provider'] ?? null,
    image: made ? { digest: made.digest, bytes: made.bytes } : null,
    urls: urlsOf(app, facts),
    staging: store.build.find(({ app_guid, state }) => app_guid === app.guid && state === 'STAGING') !== undefined,
    processes: store.process.filter(({ app_guid }) => app_guid === app.guid).map((one) => pageProcess(app, one, facts)),
  };
}

function urlsOf(app: App, { store, router_url }: Facts): string[] {
  const { port } = new URL(router_url);
  return store.destination
    .filter(({ app_guid }) => app_guid === app.guid)
    .flatMap(({ route_guid }) => {
      const route = store.route.get(route_guid);
      const domain = store.domain.get(route?.domain_guid ?? '');
      if (!route || !domain || domain.internal) return [];
      const host = [route.host, domain.name].filter((part) => part !== '').join('.');
      return [`http://${host}${port === '' ? '' : `:${port}`}${route.path}`];
    });
}

function pageProcess(app: App, process: Process, facts: Facts): PageProcess {
  const mine = facts.lrps.filter(({ actual_lrp_key: key }) => processOf(key?.process_guid ?? '') === process.guid);
  const started = app.state === 'STARTED';
  const wanted = started ? process.instances : 0;
  const last = Math.max(wanted, ...mine.map(({ actual_lrp_key: key }) => (key?.index ?? 0) + 1));
  const list = Array.from({ length: last }, (_none, index) => pageInstance(index, mine, { app, process, facts }));
  return {
    guid: process.guid,
    type: process.type,
    instances: process.instances,
    memory_mb: process.memory_in_mb,
    list: list.filter(({ index: at, guid }) => at < wanted || guid !== null),
  };
}

function pageInstance(
  index: number,
  lrps: readonly ActualLRP[],
  { app, process, facts }: { app: App; process: Process; facts: Facts },
): PageInstance {
  const [lrp] = lrps
    .filter((one) => (one.actual_lrp_key?.index ?? 0) === index)
    .sort((a, b) => Number(b.since - a.since));
  const none = { index, guid: null, boot_ms: null, memory_bytes: null, cell: null };
  if (!lrp) return { ...none, state: 'DOWN', since: 0, details: null };
  const key = lrp.actual_lrp_instance_key;
  const guid = key?.instance_guid === undefined || key.instance_guid === '' ? null : key.instance_guid;
  const state = stateOf(lrp, app.state === 'STARTED' && index < process.instances);
  const running = state === 'RUNNING';
  return {
    index,
    guid,
    state,
    since: Number(lrp.since / 1_000_000n),
    boot_ms: running && guid !== null ? facts.boot_ms(guid) : null,
    memory_bytes: running ? facts.memory_bytes(app, process, index) : null,
    cell: key?.cell_id ?? null,
    details: lrp.placement_error || (state === 'CRASHED' ? lrp.crash_reason : '') || null,
  };
}

/** Memory is what applications were promised, as an auction counts. */
export function pageCells(cells: readonly CellPresence[], lrps: readonly ActualLRP[], store: Store): PageCell[] {
  return cells.map(({ cell_id, capacity, rootfs_providers }) => {
    const total = capacity?.memory_mb ?? 0;
    const taken = lrps
      .filter(({ actual_lrp_instance_key: key }) => key?.cell_id === cell_id)
      .map(({ actual_lrp_key: key }) => store.process.get(processOf(key?.process_guid ?? ''))?.memory_in_mb ?? 0)
      .reduce((sum, one) => sum + one, 0);
    const stacks = rootfs_providers.flatMap(({ name, properties }) => (name === 'preloaded' ? properties : []));
    return { id: cell_id, stacks, memory_mb: { total, available: Math.max(0, total - taken) } };
  });
}

/** The unik buildpack names what it made in its version: `0.1.0+GUEST.DIGEST.BYTES`. */
export function imageOf(
  droplet: Pick<Droplet, 'buildpacks'> | undefined,
): { guest: string; digest: string; bytes: number } | undefined {
  for (const { version } of droplet?.buildpacks ?? []) {
    const [, guest, digest, bytes] = /\+([a-z0-9-]+)\.([0-9a-f]{12,64})\.(\d{1,15})$/.exec(version ?? '') ?? [];
    if (guest !== undefined && digest !== undefined) return { guest, digest, bytes: Number(bytes) };
  }
  return undefined;
}
