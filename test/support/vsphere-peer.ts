import { execa } from 'execa';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from './free-port.js';
import { peer } from './peers.js';
import type { BootedDisk, PeerNet } from './peer-net.js';

export const USERNAME = 'unik@vsphere.local';
export const PASSWORD = 'planted-vsphere-password-of-a-test-0815';

interface MachineFacts {
  name: string;
  disk: string;
  seed: string;
  serial: string;
  ram_mb: number;
  machine?: BootedDisk;
}

/**
 * vCenter: vcsim, behind a proxy that keeps what is uploaded and makes its machines real: power-on boots the disk that
 * was copied for the machine, from its own format, on the devices that vSphere would give it.
 */
export class VSpherePeer {
  readonly machines = new Map<string, MachineFacts>();
  /** Every call, by its name. */
  readonly calls: string[] = [];
  /** Asked for each call; `drop` carries it out and loses the answer. */
  fault: (method: string) => 'drop' | 'error' | { delay_ms: number } | undefined = () => undefined;
  /** Else machines are only told about. */
  boot = true;
  /** Privileges that our account lacks; vcsim knows nothing of them. */
  forbidden: readonly string[] = [];
  readonly #copies = new Map<string, string>();
  #server!: Server;
  #vcsim!: ChildProcess;
  #port = 0;
  #cookie = '';

  private constructor(
    readonly net: PeerNet | undefined,
    readonly dir: string,
  ) {}

  /** Without a network, machines are only told about. */
  static async open(net: PeerNet | undefined, dir: string): Promise<VSpherePeer> {
    const made = new VSpherePeer(net, dir);
    await made.#begin();
    return made;
  }

  get url(): string {
    return `http://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}`;
  }

  /** Machines whose disks really run. */
  living(): string[] {
    return [...this.machines.values()].flatMap(({ name, machine }) => (machine ? [name] : []));
  }

  /** Names of the machines vcsim has. */
  async vms(): Promise<string[]> {
    const find =
      '<FindByInventoryPath xmlns="urn:vim25"><_this type="SearchIndex">SearchIndex</_this><inventoryPath>DC0/vm</inventoryPath></FindByInventoryPath>';
    const folder = /<returnval type="Folder">([^<]+)</.exec(await this.#soap(find))?.[1];
    if (folder === undefined) throw new Error('vcsim tells of no folder for machines');
    const children = await this.#property('Folder', folder, 'childEntity');
    const refs = [...children.matchAll(/type="VirtualMachine"[^>]*>([^<]+)</g)].map(([, ref = '']) => ref);
    const names = await Promise.all(refs.map((ref) => this.#property('VirtualMachine', ref, 'name')));
    return names.flatMap((text) => /<val[^>]*>([^<]*)</.exec(text)?.[1] ?? []);
  }

  /** All that is there and is ours: machines, and paths of files on the datastore. */
  async left(): Promise<string[]> {
    // Files that go while we look are not left.
    const { stdout } = await execa('find', [this.dir, '-ignore_readdir_race', '-type', 'f'], { reject: false });
    const stored = stdout.split('\n').flatMap((path) => /LocalDS_0[^/]*\/(unik\/.*)$/.exec(path)?.[1] ?? []);
    return [...(await this.vms()), ...stored];
  }

  async lose(name: string): Promise<void> {
    await [...this.machines.values()].find((machine) => machine.name === name)?.machine?.powerOff();
  }

  async close(): Promise<void> {
    await Promise.all([...this.machines.values()].map(async ({ machine }) => machine?.powerOff()));
    this.#server.closeAllConnections();
    this.#server.close();
    this.#vcsim.kill('SIGKILL');
    await rm(this.dir, { recursive: true, force: true });
  }

  async #begin(): Promise<void> {
    await mkdir(this.dir, { recursive: true });
    this.#port = await freePort();
    const args = [`-httptest.serve=127.0.0.1:${String(this.#port)}`, '-tls=false', '-vm', '0'];
    this.#vcsim = spawn(peer('vcsim'), args, { stdio: 'ignore', env: { ...process.env, TMPDIR: this.dir } });
    for (let tries = 0; ; tries++) {
      const up = await fetch(`http://127.0.0.1:${String(this.#port)}/about`).catch(() => undefined);
      if (up?.ok) break;
      if (tries > 600) throw new Error('vcsim did not begin');
      await delay(100);
    }
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch((err: unknown) => {
        process.stderr.write(`vsphere peer: ${String(err)}\n`);
        response.destroy();
      });
    });
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    if (request.url?.startsWith('/folder/')) return this.#folder(request, response, body);
    const text = body.toString();
    const method = /<(\w+) xmlns="urn:vim25">/.exec(text)?.[1] ?? '';
    this.calls.push(method);
    const fault = this.fault(method);
    if (typeof fault === 'object') await delay(fault.delay_ms, undefined, { ref: false });
    if (fault === 'error') return void response.writeHead(503).end('no');
    this.#cookie = request.headers.cookie ?? this.#cookie;
    // vcsim lets everybody in.
    if (method === 'Login' && !(text.includes(`>${USERNAME}<`) && text.includes(`>${PASSWORD}<`))) {
      response.writeHead(500, { 'content-type': 'text/xml' }).end(INVALID_LOGIN);
      return;
    }
    const on = /<_this type="\w+">([^<]+)</.exec(text)?.[1] ?? '';
    if (method === 'HasPrivilegeOnEntities') {
      response.writeHead(200, { 'content-type': 'text/xml' }).end(this.#rights(text));
      return;
    }
    if (method === 'CopyVirtualDisk_Task') this.#copies.set(pathIn(text, 'destName'), pathIn(text, 'sourceName'));
    const answer = await this.#forward(request, body);
    if (method === 'CreateVM_Task') await this.#created(text, await answer.clone().text());
    if (method === 'PowerOnVM_Task') await this.#powerOn(on);
    if (method === 'PowerOffVM_Task') await this.machines.get(on)?.machine?.powerOff();
    if (method === 'Destroy_Task') this.machines.delete(on);
    if (fault === 'drop') return void response.destroy();
    const cookies = answer.headers.getSetCookie();
    response.writeHead(answer.status, {
      'content-type': 'text/xml',
      ...(cookies.length > 0 ? { 'set-cookie': cookies } : {}),
    });
    response.end(Buffer.from(await answer.arrayBuffer()));
  }

  #rights(order: string): string {
    const told = [...order.matchAll(/<privId>([^<]+)</g)].map(([, name = '']) => {
      const isGranted = String(!this.forbidden.includes(name));
      return `<privAvailability><privId>${name}</privId><isGranted>${isGranted}</isGranted></privAvailability>`;
    });
    const entity = /<entity type="\w+">[^<]+<\/entity>/.exec(order)?.[0] ?? '';
    return (
      '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>' +
      `<HasPrivilegeOnEntitiesResponse xmlns="urn:vim25"><returnval>${entity}${told.join('')}</returnval>` +
      '</HasPrivilegeOnEntitiesResponse></soapenv:Body></soapenv:Envelope>'
    );
  }

  #forward(request: IncomingMessage, body: Buffer): Promise<Response> {
    const { cookie, soapaction = '' } = request.headers;
    return fetch(`http://127.0.0.1:${String(this.#port)}${request.url ?? ''}`, {
      method: request.method ?? 'POST',
      headers: {
        'content-type': 'text/xml',
        soapaction: String(soapaction),
        ...(cookie === undefined ? {} : { cookie }),
      },
      ...(request.method === 'GET' ? {} : { body: new Uint8Array(body) }),
    });
  }

  async #folder(request: IncomingMessage, response: ServerResponse, body: Buffer): Promise<void> {
    const path = decodeURIComponent(new URL(request.url ?? '', 'http://x').pathname).replace('/folder/', '');
    // vcsim gives files to strangers; vCenter does not.
    if (!request.headers.cookie) return void response.writeHead(401).end();
    const running = [...this.machines.values()].find(({ serial }) => serial === path);
    if (request.method === 'GET' && running) {
      const bytes = await readFile(join(this.dir, `${running.name}.serial`)).catch(() => Buffer.alloc(0));
      const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
      if (from >= bytes.length) return void response.writeHead(416).end();
      return void response.writeHead(206).end(bytes.subarray(from));
    }
    if (request.method === 'PUT') {
      const file = join(this.dir, 'files', path);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, body);
    }
    const answer = await this.#forward(request, body);
    response.writeHead(answer.status).end(Buffer.from(await answer.arrayBuffer()));
  }

  /** What was asked for, kept under the id that the task gave. */
  async #created(order: string, answer: string): Promise<void> {
    const task = /<returnval type="Task">([^<]+)</.exec(answer)?.[1] ?? '';
    let id: string | undefined;
    for (let tries = 0; id === undefined && tries < 100; tries++) {
      const info = await this.#property('Task', task, 'info');
      if (/<state>error</.test(info)) return;
      id = /<result[^>]*type="VirtualMachine"[^>]*>([^<]+)</.exec(info)?.[1];
      if (id === undefined) await delay(50);
    }
    const [disk = '', seed = '', serial = ''] = [...order.matchAll(/<fileName>\[[^\]]*\] ([^<]+)</g)].map(
      ([, path = '']) => path,
    );
    const name = /<config><name>([^<]+)</.exec(order)?.[1] ?? '';
    const ram_mb = Number(/<memoryMB>(\d+)</.exec(order)?.[1]);
    if (id !== undefined) this.machines.set(id, { name, disk, seed, serial, ram_mb });
  }

  async #powerOn(id: string): Promise<void> {
    const facts = this.machines.get(id);
    if (!facts || facts.machine || !this.boot || !this.net) return;
    const seed = join(this.dir, 'files', facts.seed);
    const ip = /"address":"([\d.]+)\//.exec((await readFile(seed)).toString('latin1'))?.[1];
    facts.machine = await this.net.boot({
      ...{
        disk: join(this.dir, 'files', this.#copies.get(facts.disk) ?? facts.disk),
        format: 'vmdk',
        controller: 'pvscsi',
      },
      ...{ nic: 'vmxnet3', ram_mb: facts.ram_mb, seed, ip, serialFile: join(this.dir, `${facts.name}.serial`) },
    });
    void facts.machine.ended.then(async () => {
      delete facts.machine;
      await this.#soap(
        `<PowerOffVM_Task xmlns="urn:vim25"><_this type="VirtualMachine">${id}</_this></PowerOffVM_Task>`,
      );
    });
  }

  #property(type: string, id: string, path: string): Promise<string> {
    return this.#soap(
      '<RetrievePropertiesEx xmlns="urn:vim25"><_this type="PropertyCollector">propertyCollector</_this><specSet>' +
        `<propSet><type>${type}</type><pathSet>${path}</pathSet></propSet><objectSet><obj type="${type}">${id}</obj></objectSet>` +
        '</specSet><options/></RetrievePropertiesEx>',
    );
  }

  async #soap(body: string): Promise<string> {
    const envelope =
      '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">' +
      `<soapenv:Body>${body}</soapenv:Body></soapenv:Envelope>`;
    const answer = await fetch(`http://127.0.0.1:${String(this.#port)}/sdk`, {
      method: 'POST',
      headers: { 'content-type': 'text/xml', soapaction: 'urn:vim25/6.5', cookie: this.#cookie },
      body: envelope,
    }).catch(() => undefined);
    return (await answer?.text()) ?? '';
  }
}

const INVALID_LOGIN =
  '<?xml version="1.0"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">' +
  '<soapenv:Body><soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring>Cannot complete login due to an incorrect user name or password.</faultstring>' +
  '<detail><InvalidLoginFault xsi:type="InvalidLogin"></InvalidLoginFault></detail></soapenv:Fault></soapenv:Body></soapenv:Envelope>';

function pathIn(text: string, element: string): string {
  return new RegExp(`<${element}>\\[[^\\]]*\\] ([^<]+)<`).exec(text)?.[1] ?? '';
}
