/** What runs here, for the page: the tables, the BBS and the logs of this very platform. */
import { Agent, request } from 'undici';
import type { Bbs } from '../../backend/wire/bbs.js';
import type { Clock } from '../../core/clock.js';
import { messageOf, UnikError } from '../../core/errors.js';
import type { TlsIdentity } from '../../core/tls.js';
import type { ActualLRP, CellPresence } from '../../protos/generated.js';
import type { Caller } from '../cc/access.js';
import { scaleProcess } from '../cc/actions/scale.js';
import type { Cc } from '../cc/cc.js';
import { CfError } from '../cc/errors.js';
import type { App, Process } from '../cc/model.js';
import type { LogStore } from '../logcache/store.js';
import { pageApps, pageCells } from './draw.js';
import { BootTimes, lineOf } from './lines.js';
import type { PageLine, PageSource, PageState } from './source.js';

export interface PlatformOptions {
  cc: Cc;
  bbs: Bbs;
  logs: LogStore;
  onLine: (hear: (line: PageLine) => void) => () => void;
  clock: Clock;
  router_url: string;
  /** `host:port` of the admin door of a cell of this host. */
  admin: (cell_id: string) => string | undefined;
  tls: TlsIdentity;
}

export interface Platform extends PageSource {
  close(): void;
}

const CALL_MS = 5_000;
const RECENT = 200;
/** Metrics come each 15 s and less often from a cell under load. */
const METRICS_NS = 120_000_000_000n;
/** Between two questions to the BBS while somebody looks. */
const LOOK_MS = 500;

/** Whose doing it is, in `cf events`. */
const PAGE: Caller = {
  guid: 'unik-page',
  name: 'unik-page',
  email: '',
  client_id: 'unik-page',
  scopes: new Set(['cloud_controller.admin']),
};

export function platformSource(options: PlatformOptions): Platform {
  const { cc, bbs, logs, clock } = options;
  const { store } = cc;
  const boots = new BootTimes();
  const unhear = options.onLine((line) => boots.take(line));
  let seen: { at: number; lrps: Promise<ActualLRP[]>; cells: Promise<CellPresence[]> } | undefined;

  /** However many browsers look, the BBS is asked twice a second at most. */
  function look(): NonNullable<typeof seen> {
    if (seen && clock.now() - seen.at < LOOK_MS) return seen;
    const ask = { signal: AbortSignal.timeout(CALL_MS) };
    seen = {
      at: clock.now(),
      lrps: bbs.call('actual_lrps', {}, ask).then(({ actual_lrps }) => actual_lrps),
      cells: bbs.call('cells', undefined, ask).then(({ cells }) => cells),
    };
    return seen;
  }

  function memoryOf(app: App, process: Process, index: number): number | null {
    const end_time = BigInt(clock.now() + 1_000) * 1_000_000n;
    const start_time = end_time - METRICS_NS;
    const gauges = logs.read(app.guid, { start_time, end_time, limit: 100, types: ['GAUGE'], descending: true });
    const mine = gauges.find(
      ({ instance_id, tags, gauge }) =>
        instance_id === String(index) &&
        (tags['process_id'] ?? process.guid) === process.guid &&
        gauge?.metrics['memory'] !== undefined,
    );
    return mine?.gauge?.metrics['memory']?.value ?? null;
  }

  async function recentLines(): Promise<PageLine[]> {
    const query = { start_time: 0n, end_time: BigInt(clock.now() + 1_000) * 1_000_000n, limit: RECENT };
    return store.app
      .all()
      .flatMap(({ guid }) => logs.read(guid, { ...query, types: ['LOG'], descending: true }).flatMap(lineOf))
      .sort((a, b) => a.at - b.at);
  }

  return {
    async state(): Promise<PageState> {
      const found = look();
      const [lrps, cells] = await Promise.all([found.lrps, found.cells]);
      return {
        cells: pageCells(cells, lrps, store),
        apps: pageApps({
          ...{ store, lrps, router_url: options.router_url },
          boot_ms: (instance) => boots.of(instance),
          memory_bytes: memoryOf,
        }),
      };
    },
    /** A change of a machine's state is always told in its log. */
    onChange(changed) {
      const ends = [
        store.watch(changed),
        options.onLine(({ source }) => {
          if (source === 'CELL' || source === 'API') changed();
        }),
      ];
      return () => ends.forEach((end) => end());
    },
    recentLines,
    onLine: options.onLine,
    async kill(instance) {
      const lrp = (await look().lrps).find(({ actual_lrp_instance_key: key }) => key?.instance_guid === instance);
      const address = options.admin(lrp?.actual_lrp_instance_key?.cell_id ?? '');
      if (!lrp) throw new UnikError('not_found', `there is no machine ${instance}`);
      if (address === undefined) throw new UnikError('not_supported', 'its cell is on another host');
      await cut(address, instance, options.tls);
    },
    async scale(guid, instances) {
      const process = store.process.get(guid);
      const app = store.app.get(process?.app_guid ?? '');
      if (!process || !app) throw new UnikError('not_found', `there is no process ${guid}`);
      try {
        store.change((tx) => scaleProcess(cc, tx, PAGE, process, { instances }));
      } catch (err) {
        if (err instanceof CfError)
          throw new UnikError('conflict', err.errors[0]?.detail ?? err.message, { cause: err });
        throw err;
      }
      cc.diego.say(app, `Updated app with guid ${app.guid} (${JSON.stringify({ instances })})`);
      await store.settled();
    },
    close: unhear,
  };
}

/** The cell cuts its power, which Diego sees as a crash. */
async function cut(address: string, instance: string, { ca, cert, key }: TlsIdentity): Promise<void> {
  const agent = new Agent({ connect: { ca, cert, key } });
  try {
    const { statusCode, body } = await request(`https://${address}/instances/${encodeURIComponent(instance)}`, {
      method: 'DELETE',
      dispatcher: agent,
      signal: AbortSignal.timeout(CALL_MS),
    });
    const text = await body.text();
    if (statusCode >= 400) throw new UnikError(statusCode === 404 ? 'not_found' : 'conflict', `its cell says: ${text}`);
  } catch (err) {
    if (err instanceof UnikError) throw err;
    throw new UnikError('peer_unreachable', `its cell at ${address}: ${messageOf(err)}`, { cause: err });
  } finally {
    await agent.close();
  }
}
