import { mkdir, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { PeerNet } from '../peer-net.js';
import { GlanceDouble } from './glance.js';
import { KeystoneDouble } from './keystone.js';
import { NeutronDouble } from './neutron.js';
import { NovaDouble } from './nova.js';
import { RealHalf } from './real.js';
import { unauthorized, type Call, type Reply } from './wire.js';

/**
 * What one call meets. `throttle`: 429, come again in a second. `busy`: 503, come again now, as a date. `error`: 500. `drop`: carried out,
 * and the answer lost. `cut`: the connection ends before anything is done. `forbidden`: 403.
 */
export type Fault = 'throttle' | 'busy' | 'error' | 'drop' | 'cut' | 'forbidden' | { delay_ms: number } | undefined;

const NAMES: Record<string, string> = { identity: 'keystone', image: 'glance', compute: 'nova', network: 'neutron' };

/**
 * A cloud at one address, with its services below `/identity`, `/image`, `/compute` and `/network`. Nova and Neutron are
 * doubles: the real ones want a message queue and minutes to begin. Keystone and Glance are the real ones where they are
 * asked for, behind the same door, which can be as awkward to each call as clouds are.
 */
export class OpenStackPeer {
  /** Every call: service, method, path with `{id}` for ids. */
  readonly calls: string[] = [];
  /** Asked for each call. */
  fault: (call: string) => Fault = () => undefined;
  readonly keystone = new KeystoneDouble(() => this.url);
  readonly glance: GlanceDouble;
  readonly neutron: NeutronDouble;
  nova!: NovaDouble;
  real: RealHalf | undefined;
  #server!: Server;

  private constructor(
    readonly net: PeerNet | undefined,
    readonly dir: string,
  ) {
    let next = 10;
    const address = net ? () => net.address() : () => `10.0.0.${String(next++)}`;
    this.glance = new GlanceDouble(join(dir, 'images'), () => this.url);
    this.neutron = new NeutronDouble(() => this.url, address);
  }

  /** Without a network, servers are only told about. `real`: with the real Keystone and Glance. */
  static async open(net: PeerNet | undefined, dir: string, real = false): Promise<OpenStackPeer> {
    const peer = new OpenStackPeer(net, dir);
    await mkdir(dir, { recursive: true });
    await peer.#begin(real);
    return peer;
  }

  get url(): string {
    return `http://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}`;
  }
  get auth_url(): string {
    return `${this.url}/identity/v3`;
  }

  /** What is there: servers by name, ports by name. */
  left(): string[] {
    return [
      ...[...this.nova.servers.values()].map(({ name }) => `server ${name}`),
      ...[...this.neutron.ports.values()].map(({ name }) => `port ${name}`),
    ];
  }

  /** Images as well, of the double. */
  all(): string[] {
    return [...this.left(), ...[...this.glance.images.values()].map(({ name }) => `image ${name}`)];
  }

  /** Ids of the servers that run. */
  living(): string[] {
    return [...this.nova.servers.values()].flatMap(({ id, machine }) => (machine ? [id] : []));
  }

  async close(): Promise<void> {
    await this.nova.close();
    this.#server.closeAllConnections();
    this.#server.close();
    await this.real?.close();
    await rm(this.dir, { recursive: true, force: true });
  }

  async #begin(real: boolean): Promise<void> {
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch((err: unknown) => {
        process.stderr.write(`openstack peer: ${String(err)}\n`);
        response.destroy();
      });
    });
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    if (real) this.real = await RealHalf.open(join(this.dir, 'real'), this.url);
    const images = this.real ?? this.glance;
    const { net, neutron } = this;
    this.nova = new NovaDouble({ dir: join(this.dir, 'servers'), base: () => this.url, net, images, neutron });
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams: query } = new URL(request.url ?? '', 'http://x');
    const [, service = '', ...rest] = pathname.split('/');
    const path = `/${rest.join('/')}`;
    const call = `${NAMES[service] ?? service} ${request.method ?? ''} ${shape(path)}`;
    this.calls.push(call);
    const fault = this.fault(call);
    if (typeof fault === 'object') await delay(fault.delay_ms);
    if (fault === 'cut') return void response.destroy();
    const refusal = refusalOf(fault);
    if (refusal) {
      send(response, refusal);
      return;
    }
    if (fault === 'drop') response.end = () => (response.destroy(), response);
    if (this.real && (service === 'identity' || service === 'image')) {
      await this.real.forward(service, {
        request,
        response,
        path: `${path}${new URL(request.url ?? '', 'http://x').search}`,
      });
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const who = { project: '', user: '', roles: [] };
    send(
      response,
      await this.#answer(service, { method: request.method ?? '', path, query, headers: request.headers, body, who }),
    );
  }

  async #answer(service: string, call: Call): Promise<Reply> {
    if (service === 'identity') return this.keystone.handle(call);
    const identity = this.real ?? this.keystone;
    // What versions there are is told to everybody.
    const isOpen = /^\/(v2(\.\d+)?\/?)?$/.test(call.path);
    const who = await identity.check(String(call.headers['x-auth-token']));
    if (!who && !isOpen) return unauthorized(this.auth_url);
    const known = who ? { ...call, who } : call;
    if (service === 'compute') return this.nova.handle(known);
    if (service === 'network') return this.neutron.handle(known);
    if (service === 'image') return this.glance.handle(known);
    return { status: 404 };
  }
}

/** Without the version, and with `{id}` for what is one. */
function shape(path: string): string {
  return path.replace(/^\/v[\d.]+/, '').replace(/\/[0-9a-f-]{32,36}(?=\/|$)/g, '/{id}') || '/';
}

function refusalOf(fault: Fault): Reply | undefined {
  if (fault === 'throttle') {
    return {
      status: 429,
      headers: { 'retry-after': '1' },
      body: { overLimit: { code: 429, message: 'This request was rate-limited.' } },
    };
  }
  if (fault === 'busy')
    return { status: 503, headers: { 'retry-after': new Date().toUTCString() }, body: '<html><body>503</body></html>' };
  if (fault === 'error')
    return { status: 500, body: { computeFault: { code: 500, message: 'Unexpected API Error.' } } };
  if (fault === 'forbidden') {
    return { status: 403, body: { forbidden: { code: 403, message: "Policy doesn't allow this to be performed." } } };
  }
  return undefined;
}

function send(response: ServerResponse, { status, body, headers = {} }: Reply): void {
  const text = typeof body === 'string' ? body : body === undefined ? '' : JSON.stringify(body);
  const type = typeof body === 'object' ? { 'content-type': 'application/json' } : {};
  response.writeHead(status, { ...type, 'x-openstack-request-id': 'req-of-a-test', ...headers }).end(text);
}
