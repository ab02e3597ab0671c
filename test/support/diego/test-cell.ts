import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Bbs, Identity } from '../../../backend/wire/bbs.js';
import type { Locket } from './locket.js';
import { Journal } from './journal.js';

/** One LRP of `/work` or `/state`, by the names of rep `resources.go`. */
export interface WorkLrp {
  instance_guid?: string;
  process_guid: string;
  index: number;
  domain: string;
  RootFs: string;
  MemoryMB: number;
  DiskMB: number;
  MaxPids: number;
  PlacementTags: string[] | null;
  VolumeDrivers: string[] | null;
  state?: string;
}

export interface WorkTask {
  TaskGuid: string;
  Domain: string;
  RootFs: string;
  MemoryMB: number;
  DiskMB: number;
  PlacementTags: string[] | null;
  VolumeDrivers: string[] | null;
  state: string;
  failed: boolean;
}

export interface Work {
  LRPs: WorkLrp[] | null;
  Tasks: WorkTask[] | null;
  cell_id?: string;
}

export type Kind = 'state' | 'work' | 'stop' | 'update' | 'cancel' | 'other';

/** A request that reached the cell. */
export interface Seen {
  kind: Kind;
  /** Milliseconds since the epoch. */
  at: number;
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  /** Parsed JSON; undefined without a body. */
  body: unknown;
}

export interface Answer {
  status: number;
  body?: unknown;
}

export interface CellSetup {
  id: string;
  /** Stacks offered as `preloaded:` and `preloaded+layer:`. */
  stacks: readonly string[];
  placement_tags?: readonly string[];
  optional_placement_tags?: readonly string[];
  zone?: string;
  memory_mb?: number;
  disk_mb?: number;
  containers?: number;
  volume_drivers?: readonly string[];
  /** Seconds; the rep's 15. */
  ttl_s?: number;
}

/** What a cell says of one instance when it starts it. Absent: as a plain rep would. */
export interface Started {
  internal_routes?: readonly string[];
  metric_tags?: Record<string, string>;
  routable?: boolean;
  availability_zone?: string;
  address?: string;
}

/** Names one instance on this cell. */
export interface Instance {
  process_guid: string;
  index: number;
  domain: string;
  instance_guid: string;
}

const BEAT_MS = 1_000;

/**
 * A scripted rep: present in Locket, serving the cell's HTTP API over mutual TLS. It takes all work unless told
 * otherwise, writes down every request, and calls the BBS only when the test says so.
 */
export class TestCell {
  readonly seen = new Journal<Seen>();
  /** Answers instead of the usual ones; a test sets what it needs. */
  answers: Partial<Record<Kind, (request: Seen) => Answer | Promise<Answer>>> = {};
  /** What `/state` lists. Work taken is added by itself. */
  lrps: WorkLrp[] = [];
  tasks: WorkTask[] = [];
  starting = 0;
  evacuating = false;
  readonly owner = randomUUID();
  /** Does it beat? */
  isPresent = false;
  #beat: NodeJS.Timeout | undefined;

  private constructor(
    readonly setup: CellSetup,
    readonly url: string,
    private readonly server: Server,
    private readonly bbs: Bbs,
    private readonly locket: Locket,
  ) {}

  get id(): string {
    return this.setup.id;
  }

  /** Serves, but is not yet present: see `present`. */
  static async listen(setup: CellSetup, tls: Identity, bbs: Bbs, locket: Locket): Promise<TestCell> {
    const server = createServer({ ...tls, requestCert: true, rejectUnauthorized: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const cell = new TestCell(setup, `https://127.0.0.1:${port}`, server, bbs, locket);
    server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const { method = '', url: path = '', headers } = request;
        void cell.#answer({ method, path, headers, body: text ? JSON.parse(text) : undefined }).then(
          ({ status, body }) => {
            const json = body === undefined ? '' : JSON.stringify(body);
            response.writeHead(status, { 'content-type': 'application/json' }).end(json);
          },
          () => response.destroy(),
        );
      });
    });
    return cell;
  }

  /** Registers in Locket and beats until `vanish` or `withdraw`. */
  async present(): Promise<void> {
    await this.#lock();
    this.isPresent = true;
    clearInterval(this.#beat);
    // A beat that fails is followed by the next one, as a rep does it.
    this.#beat = setInterval(() => void this.#lock().catch(() => undefined), BEAT_MS);
  }

  /** Releases the presence: gone at once. */
  async withdraw(): Promise<void> {
    this.vanish();
    await this.locket.release({ key: this.id, owner: this.owner });
  }

  /** Stops beating: gone when the TTL is over. */
  vanish(): void {
    this.isPresent = false;
    clearInterval(this.#beat);
  }

  async close(): Promise<void> {
    await this.withdraw().catch(() => undefined);
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** The JSON of a presence (bbs `models/cell_presence.go`). */
  presence(): object {
    const { id, stacks, placement_tags, optional_placement_tags, zone = 'z1' } = this.setup;
    const { memory_mb = 8_192, disk_mb = 8_192, containers = 100 } = this.setup;
    return {
      cell_id: id,
      rep_address: 'http://127.0.0.1:1800',
      zone,
      capacity: { memory_mb, disk_mb, containers },
      rootfs_provider_list: [
        { name: 'preloaded', properties: stacks },
        { name: 'preloaded+layer', properties: stacks },
      ],
      ...(placement_tags ? { placement_tags } : {}),
      ...(optional_placement_tags ? { optional_placement_tags } : {}),
      rep_url: this.url,
    };
  }

  /** The JSON of `GET /state` (rep `resources.go`). */
  state(): object {
    const { id, stacks, placement_tags, optional_placement_tags, zone = 'z1', volume_drivers } = this.setup;
    const { memory_mb = 8_192, disk_mb = 8_192, containers = 100 } = this.setup;
    const all = [...this.lrps, ...this.tasks];
    const sum = (of: (one: WorkLrp | WorkTask) => number): number => all.reduce((total, one) => total + of(one), 0);
    const set = Object.fromEntries(stacks.map((stack) => [stack, {}]));
    return {
      rep_url: this.url,
      cell_id: id,
      RootFSProviders: { preloaded: { type: 'fixed_set', set }, 'preloaded+layer': { type: 'fixed_set', set } },
      AvailableResources: {
        MemoryMB: memory_mb - sum((one) => one.MemoryMB),
        DiskMB: disk_mb - sum((one) => one.DiskMB),
        Containers: containers - all.length,
      },
      TotalResources: { MemoryMB: memory_mb, DiskMB: disk_mb, Containers: containers },
      LRPs: this.lrps,
      Tasks: this.tasks,
      StartingContainerCount: this.starting,
      Zone: zone,
      Evacuating: this.evacuating,
      VolumeDrivers: volume_drivers ?? [],
      PlacementTags: placement_tags ?? null,
      OptionalPlacementTags: optional_placement_tags ?? null,
    };
  }

  /** Frees what `/state` counts for the LRP or task. */
  drop(guid: string): void {
    this.lrps = this.lrps.filter((lrp) => lrp.process_guid !== guid);
    this.tasks = this.tasks.filter((task) => task.TaskGuid !== guid);
  }

  claim(one: Instance): Promise<unknown> {
    const { process_guid, index } = one;
    return this.bbs.call('claim', { process_guid, index, actual_lrp_instance_key: this.key(one) });
  }

  start(one: Instance, started: Started = {}): Promise<unknown> {
    return this.bbs.call('start', this.startRequest(one, started));
  }

  crash(one: Instance, error_message = 'it died'): Promise<unknown> {
    return this.bbs.call('crash', { ...this.keys(one), error_message });
  }

  remove(one: Instance): Promise<unknown> {
    const { process_guid, index } = one;
    return this.bbs.call('remove', { process_guid, index, actual_lrp_instance_key: this.key(one) });
  }

  key({ instance_guid }: Instance): { instance_guid: string; cell_id: string } {
    return { instance_guid, cell_id: this.id };
  }

  keys(one: Instance) {
    const { process_guid, index, domain } = one;
    return { actual_lrp_key: { process_guid, index, domain }, actual_lrp_instance_key: this.key(one) };
  }

  /** Also the request of evacuate_running. */
  startRequest(one: Instance, started: Started = {}) {
    const { internal_routes = [], metric_tags = {}, routable = true, availability_zone = 'z1' } = started;
    return {
      ...this.keys(one),
      actual_lrp_net_info: {
        address: started.address ?? '10.0.0.1',
        ports: [{ container_port: 8_080, host_port: 61_000 }],
        instance_address: '10.255.0.1',
        preferred_address: 'HOST' as const,
      },
      actual_lrp_internal_routes: internal_routes.map((hostname) => ({ hostname })),
      metric_tags,
      routable,
      availability_zone,
    };
  }

  async #lock(): Promise<void> {
    const { ttl_s = 15 } = this.setup;
    const value = JSON.stringify(this.presence());
    await this.locket.lock(
      { key: this.id, owner: this.owner, value, type: 'presence', type_code: 'PRESENCE' },
      BigInt(ttl_s),
    );
  }

  async #answer(request: Omit<Seen, 'kind' | 'at'>): Promise<Answer> {
    const seen: Seen = { ...request, kind: kindOf(request), at: Date.now() };
    this.seen.add(seen);
    const scripted = this.answers[seen.kind];
    if (scripted) return scripted(seen);
    if (seen.kind === 'state') return { status: 200, body: this.state() };
    if (seen.kind === 'work') return { status: 200, body: this.take(seen.body as Work) };
    return { status: seen.kind === 'other' ? 404 : 202 };
  }

  /** Takes all of it. */
  take({ LRPs, Tasks }: Work): Work {
    const guids = (LRPs ?? []).map((lrp) => ({ ...lrp, instance_guid: randomUUID(), state: 'CLAIMED' }));
    this.lrps.push(...guids);
    const known = new Set(this.tasks.map((task) => task.TaskGuid));
    this.tasks.push(...(Tasks ?? []).filter((task) => !known.has(task.TaskGuid)));
    return { LRPs: null, Tasks: null };
  }
}

function kindOf({ method, path }: { method: string; path: string }): Kind {
  if (method === 'GET' && path === '/state') return 'state';
  if (method === 'POST' && path === '/work') return 'work';
  if (method === 'POST' && /^\/v1\/lrps\/[^/]+\/instances\/[^/]+\/stop$/.test(path)) return 'stop';
  if (method === 'PUT' && /^\/v[12]\/lrps\/[^/]+\/instances\/[^/]+$/.test(path)) return 'update';
  if (method === 'POST' && /^\/v1\/tasks\/[^/]+\/cancel$/.test(path)) return 'cancel';
  return 'other';
}
