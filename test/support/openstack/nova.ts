import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { BootedDisk, PeerNet } from '../peer-net.js';
import { makeConfigDrive } from './config-drive.js';
import type { NeutronDouble, Port } from './neutron.js';
import { jsonOf, strange, type Call, type ImageSource, type Reply } from './wire.js';

export interface Server {
  id: string;
  name: string;
  status: string;
  task: string | null;
  metadata: Record<string, string>;
  tags: string[];
  image: string;
  flavor: string;
  port: string;
  project: string;
  fault?: string;
  machine?: BootedDisk;
}

interface Order {
  name?: string;
  imageRef?: string;
  flavorRef?: string;
  networks?: { port?: string; uuid?: string }[] | 'auto' | 'none';
  metadata?: Record<string, string>;
  tags?: string[];
  user_data?: string;
}

const ORDER = [
  ...['name', 'imageRef', 'flavorRef', 'networks', 'metadata', 'user_data', 'config_drive', 'availability_zone'],
  ...[
    'security_groups',
    'min_count',
    'max_count',
    'key_name',
    'OS-DCF:diskConfig',
    'description',
    'block_device_mapping_v2',
  ],
];
const MOST = 93;
const CONSOLE_BYTES = 100 * 1024;

/**
 * Nova's v2.1 with microversions to 2.93. Servers are real: each boots the image that Glance has, with a config drive, and
 * its console is its machine's. https://docs.openstack.org/api-ref/compute/
 */
export class NovaDouble {
  readonly servers = new Map<string, Server>();
  readonly flavors = [
    { id: '1', name: 'm1.tiny', ram: 512, vcpus: 1, disk: 1 },
    { id: '2', name: 'm1.small', ram: 2048, vcpus: 1, disk: 20 },
    { id: '3', name: 'm1.volume', ram: 128, vcpus: 1, disk: 0 },
  ];
  instances = 10;
  page = 1_000;
  /** How long it builds, and how long until it sees that a machine went off by itself. */
  build_ms = 100;
  shutoff_ms = 300;
  /** Said of the next servers instead of building them. */
  noHost = false;

  constructor(
    private readonly parts: {
      dir: string;
      base: () => string;
      net: PeerNet | undefined;
      images: ImageSource;
      neutron: NeutronDouble;
    },
  ) {
    mkdirSync(parts.dir, { recursive: true });
  }

  async close(): Promise<void> {
    for (const { machine } of this.servers.values()) await machine?.powerOff();
  }

  /** The hypervisor loses it. */
  async lose(id: string): Promise<void> {
    await this.servers.get(id)?.machine?.powerOff();
  }

  async handle(call: Call): Promise<Reply> {
    const asked = /compute (\d+)\.(\d+)/.exec(String(call.headers['openstack-api-version'] ?? ''));
    const minor = asked ? Number(asked[2]) : 1;
    if (asked && (asked[1] !== '2' || minor > MOST)) {
      const message = `Version ${asked[1] ?? ''}.${String(minor)} is not supported by the API. Minimum is 2.1 and maximum is 2.${String(MOST)}.`;
      return { status: 406, body: { computeFault: { code: 406, message } } };
    }
    const reply = await this.#route(call, minor);
    const version = `2.${String(minor)}`;
    return {
      ...reply,
      headers: {
        'openstack-api-version': `compute ${version}`,
        'x-openstack-nova-api-version': version,
        ...reply.headers,
      },
    };
  }

  async #route(call: Call, minor: number): Promise<Reply> {
    const [, , kind = '', id = '', what = ''] = call.path.split('/');
    if (kind === '') return this.#version();
    if (kind === 'limits') return this.#limits();
    if (kind === 'flavors') return this.#flavors(id, minor);
    if (kind === 'os-availability-zone') {
      const zone = { zoneName: 'nova', zoneState: { available: true }, hosts: null };
      return { status: 200, body: { availabilityZoneInfo: [zone] } };
    }
    if (kind !== 'servers') return refusal('itemNotFound', 404, 'The resource could not be found.');
    if (id === '' && call.method === 'POST') return this.#create(call, minor);
    if (id === '' || id === 'detail') return this.#list(call, id === 'detail', minor);
    const server = this.servers.get(id);
    if (!server || server.project !== call.who.project) {
      return refusal('itemNotFound', 404, `Instance ${id} could not be found.`);
    }
    if (what === 'action') return this.#act(server, call);
    if (call.method === 'GET') return { status: 200, body: { server: this.#shown(server, minor) } };
    if (call.method !== 'DELETE') return refusal('badMethod', 405, 'Method not allowed');
    void this.#delete(server);
    return { status: 204 };
  }

  async #create(call: Call, minor: number): Promise<Reply> {
    const order = (jsonOf(call)['server'] ?? {}) as Order;
    const odd = strange(order, [...ORDER, ...(minor >= 52 ? ['tags'] : [])]);
    if (odd !== undefined) {
      return badRequest(
        `Invalid input for field/attribute server. Additional properties are not allowed ('${odd}' was unexpected)`,
      );
    }
    const image = await this.parts.images.image(order.imageRef ?? '');
    if (!image) return badRequest('Can not find requested image');
    if (image.status !== 'active') return badRequest(`Image ${order.imageRef ?? ''} is not active.`);
    const flavor = this.flavors.find(({ id }) => id === order.flavorRef?.split('/').at(-1));
    if (!flavor) return badRequest(`Flavor ${order.flavorRef ?? ''} could not be found.`);
    if (flavor.disk > 0 && image.min_disk > flavor.disk) {
      return badRequest("Flavor's disk is smaller than the minimum size specified in image metadata.");
    }
    if ((order.user_data ?? '').length > 65_535) {
      return badRequest('Invalid input for field/attribute user_data. Value is too long');
    }
    if (this.servers.size >= this.instances) {
      const used = `${String(this.servers.size)} of ${String(this.instances)}`;
      return refusal('forbidden', 403, `Quota exceeded for instances: Requested 1, but already used ${used} instances`);
    }
    const port = this.#portOf(order);
    if (isReply(port)) return port;
    const server: Server = {
      ...{
        id: randomUUID(),
        name: order.name ?? '',
        status: 'BUILD',
        task: 'spawning',
        metadata: order.metadata ?? {},
      },
      ...{
        tags: order.tags ?? [],
        image: order.imageRef ?? '',
        flavor: flavor.id,
        port: port.id,
        project: call.who.project,
      },
    };
    port.device_id = server.id;
    port.device_owner = 'compute:nova';
    this.servers.set(server.id, server);
    void this.#build(server, { user_data: order.user_data, port }).catch((err: unknown) => {
      Object.assign(server, { status: 'ERROR', task: null, fault: String(err) });
    });
    const links = [{ rel: 'self', href: `${this.parts.base()}/compute/v2.1/servers/${server.id}` }];
    const made = {
      id: server.id,
      links,
      'OS-DCF:diskConfig': 'MANUAL',
      security_groups: [],
      adminPass: 'not-of-any-use',
    };
    return { status: 202, body: { server: made } };
  }

  #portOf(order: Order): Port | Reply {
    const [wanted] = Array.isArray(order.networks) ? order.networks : [];
    if (wanted?.port === undefined) return badRequest('this double gives servers ports that were made before');
    const port = this.parts.neutron.ports.get(wanted.port);
    if (!port) return badRequest(`Port id ${wanted.port} could not be found.`);
    if (port.device_id !== '') return refusal('conflictingRequest', 409, `Port ${port.id} is still in use.`);
    return port;
  }

  async #build(server: Server, { user_data, port }: { user_data: string | undefined; port: Port }): Promise<void> {
    const { dir, net, images } = this.parts;
    await delay(this.build_ms);
    if (this.noHost) {
      const fault = 'No valid host was found. There are not enough hosts available.';
      Object.assign(server, { status: 'ERROR', task: null, fault });
      return;
    }
    const { id, name, metadata } = server;
    const seed = await makeConfigDrive(dir, { id, name, metadata, user_data });
    const image = await images.image(server.image);
    if (!this.servers.has(id) || !image) return;
    const ram_mb = this.flavors.find((flavor) => flavor.id === server.flavor)?.ram ?? 512;
    if (net) {
      server.machine = await net.boot({
        ...{ disk: image.file, format: image.format, controller: 'virtio', nic: 'virtio-net-pci', ram_mb, seed },
        ...{ ip: port.fixed_ips[0]?.ip_address, serialFile: this.#serial(id) },
      });
      void server.machine.ended.then(() => this.#wentOff(server));
    }
    Object.assign(server, { status: 'ACTIVE', task: null });
    // Deleted while it was built.
    if (!this.servers.has(id)) await server.machine?.powerOff();
  }

  async #wentOff(server: Server): Promise<void> {
    delete server.machine;
    await delay(this.shutoff_ms);
    Object.assign(server, { status: 'SHUTOFF', task: null });
  }

  async #act(server: Server, call: Call): Promise<Reply> {
    const action = jsonOf(call);
    if ('os-getConsoleOutput' in action) return this.#console(server);
    if ('forceDelete' in action) {
      void this.#delete(server);
      return { status: 202 };
    }
    if (!('os-stop' in action)) return badRequest('There is no such action');
    if (server.status !== 'ACTIVE' || server.task !== null) {
      const state = server.task === null ? `vm_state ${server.status.toLowerCase()}` : `task_state ${server.task}`;
      return refusal('conflictingRequest', 409, `Cannot 'stop' instance ${server.id} while it is in ${state}`);
    }
    server.task = 'powering-off';
    const image = await this.parts.images.image(server.image);
    // It asks the guest first, which need not listen, unless the image says that there is no use in it.
    const wait_ms = image?.properties['os_shutdown_timeout'] === '0' ? 0 : 60_000;
    if (server.machine) void delay(wait_ms).then(() => server.machine?.powerOff());
    else Object.assign(server, { status: 'SHUTOFF', task: null });
    return { status: 202 };
  }

  #console(server: Server): Reply {
    if (server.status === 'BUILD') return refusal('conflictingRequest', 409, 'Instance not yet ready');
    const file = this.#serial(server.id);
    const all = existsSync(file) ? readFileSync(file) : Buffer.alloc(0);
    const tail = all.subarray(Math.max(0, all.length - CONSOLE_BYTES)).toString('latin1');
    return { status: 200, body: { output: asNovaTells(tail) } };
  }

  async #delete(server: Server): Promise<void> {
    if (server.task === 'deleting') return;
    server.task = 'deleting';
    await delay(this.build_ms);
    this.servers.delete(server.id);
    await server.machine?.powerOff();
    const port = this.parts.neutron.ports.get(server.port);
    // One that was made before is given back.
    if (port) Object.assign(port, { device_id: '', device_owner: '' });
    for (const file of [this.#serial(server.id), join(this.parts.dir, `${server.id}.config`)])
      rmSync(file, { force: true });
  }

  #list({ query, who }: Call, detail: boolean, minor: number): Reply {
    const tags = minor >= 26 ? (query.get('tags')?.split(',') ?? []) : [];
    const name = query.get('name');
    const all = [...this.servers.values()].filter(
      (server) =>
        server.project === who.project &&
        tags.every((tag) => server.tags.includes(tag)) &&
        (name === null || new RegExp(name).test(server.name)),
    );
    const after = all.findIndex(({ id }) => id === query.get('marker')) + 1;
    const limit = Math.min(Number(query.get('limit') ?? this.page), this.page);
    const some = all.slice(after, after + limit);
    const rest = new URLSearchParams(query);
    rest.set('marker', some.at(-1)?.id ?? '');
    const href = `${this.parts.base()}/compute/v2.1/servers${detail ? '/detail' : ''}?${rest.toString()}`;
    const more = after + limit < all.length ? { servers_links: [{ rel: 'next', href }] } : {};
    const servers = some.map((one) => (detail ? this.#shown(one, minor) : { id: one.id, name: one.name, links: [] }));
    return { status: 200, body: { servers, ...more } };
  }

  #shown(server: Server, minor: number): Record<string, unknown> {
    const port = this.parts.neutron.ports.get(server.port);
    const flavor = this.flavors.find(({ id }) => id === server.flavor);
    const { name: original_name, ...rest } = flavor ?? { name: '' };
    const address = { version: 4, 'OS-EXT-IPS:type': 'fixed', 'OS-EXT-IPS-MAC:mac_addr': port?.mac_address };
    const isShown = port !== undefined && server.status !== 'BUILD';
    return {
      ...{
        id: server.id,
        name: server.name,
        status: server.status,
        metadata: server.metadata,
        tenant_id: server.project,
      },
      ...{
        created: '2026-01-01T00:00:00Z',
        updated: '2026-01-01T00:00:00Z',
        links: [],
        config_drive: 'True',
        key_name: null,
      },
      addresses: isShown ? { apps: port.fixed_ips.map(({ ip_address }) => ({ addr: ip_address, ...address })) } : {},
      image: { id: server.image, links: [] },
      flavor: minor >= 47 ? { original_name, ...rest, extra_specs: {} } : { id: server.flavor, links: [] },
      ...(minor >= 26 ? { tags: server.tags } : {}),
      ...{ 'OS-EXT-STS:task_state': server.task, 'OS-EXT-STS:power_state': server.machine ? 1 : 4 },
      ...{ 'OS-EXT-STS:vm_state': server.status.toLowerCase(), 'OS-EXT-AZ:availability_zone': 'nova' },
      ...(server.fault === undefined
        ? {}
        : { fault: { code: 500, created: '2026-01-01T00:00:00Z', message: server.fault } }),
    };
  }

  #flavors(id: string, minor: number): Reply {
    const shown = this.flavors.map((flavor) => ({
      ...{ ...flavor, swap: minor >= 75 ? 0 : '', rxtx_factor: 1, links: [], 'os-flavor-access:is_public': true },
      ...{
        'OS-FLV-DISABLED:disabled': false,
        'OS-FLV-EXT-DATA:ephemeral': 0,
        ...(minor >= 55 ? { description: null } : {}),
      },
      ...(minor >= 61 ? { extra_specs: {} } : {}),
    }));
    if (id === '' || id === 'detail') return { status: 200, body: { flavors: shown } };
    const one = shown.find((flavor) => flavor.id === id);
    return one
      ? { status: 200, body: { flavor: one } }
      : refusal('itemNotFound', 404, `Flavor ${id} could not be found.`);
  }

  #limits(): Reply {
    const absolute = {
      ...{ maxTotalInstances: this.instances, totalInstancesUsed: this.servers.size },
      ...{ maxTotalCores: -1, totalCoresUsed: this.servers.size },
      ...{ maxTotalRAMSize: 51_200, totalRAMUsed: 512 * this.servers.size },
    };
    return { status: 200, body: { limits: { rate: [], absolute } } };
  }

  #version(): Reply {
    const links = [{ rel: 'self', href: `${this.parts.base()}/compute/v2.1/` }];
    const version = { id: 'v2.1', status: 'CURRENT', version: `2.${String(MOST)}`, min_version: '2.1', links };
    return { status: 200, body: { version } };
  }

  #serial(id: string): string {
    return join(this.parts.dir, `${id}.serial`);
  }
}

/** Nova decodes a console as ASCII and drops what XML could not have held. */
function asNovaTells(text: string): string {
  return Array.from(text)
    .map((sign) => (sign > '\x7f' ? '\ufffd' : sign))
    .filter((sign) => sign >= ' ' || '\t\n\r'.includes(sign))
    .join('');
}

const isReply = (made: Port | Reply): made is Reply => typeof made.status === 'number';

const refusal = (kind: string, code: number, message: string): Reply => ({
  status: code,
  body: { [kind]: { code, message } },
});
const badRequest = (message: string): Reply => refusal('badRequest', 400, message);
