import { XMLParser } from 'fast-xml-parser';
import { readFile, stat } from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import { Agent, request } from 'undici';
import { messageOf, UnikError, type ErrorCode } from '../../../core/errors.js';
import type { Clock } from '../../../core/clock.js';
import { poll } from '../../../core/retry.js';
import { readCredentials } from '../../remote/credentials-file.js';
import { vsphereCredentialsSchema, type VSphereConfig } from './config.js';

/** A managed object: `type` and `value` as the server gave them; ids are never taken apart. */
export interface Moref {
  type: string;
  value: string;
}

/** A node of an answer. Text is in `#text` where it has attributes, else it is a string. */
export type Node = { [name: string]: Node | Node[] | string | undefined };

/** The type of a fault that vSphere answered with, such as `NotAuthenticated` or `InvalidPowerState`. */
export class VimFault extends UnikError {
  constructor(
    code: ErrorCode,
    message: string,
    readonly fault: string,
  ) {
    super(code, message);
  }
}

const CALL_MS = 60_000;
const TASK_MS = 30 * 60_000;
const UNAVAILABLE = ['InvalidLogin', 'NotAuthenticated', 'NoPermission', 'InvalidLogin', 'HostConnectFault'];
const FULL = [
  'InsufficientResourcesFault',
  'InsufficientMemoryResourceFault',
  'InsufficientCpuResourcesFault',
  'NoDiskSpace',
];

/** vim25 over SOAP: the dozen calls that machines need. Logs in by itself, again where a session has ended. */
export class Vim {
  #agent: Promise<Agent> | undefined;
  #cookie: string | undefined;
  #login: Promise<void> | undefined;
  /** What the server calls our session. */
  #key = '';
  #content: Node | undefined;
  readonly #parser = new XMLParser({ ignoreAttributes: false, removeNSPrefix: true, parseTagValue: false });

  constructor(
    private readonly config: VSphereConfig,
    private readonly clock: Clock,
  ) {}

  /** Calls a method of an object; `body` is XML. Gives the answer's element. */
  async call(method: string, on: Moref, body = '', signal?: AbortSignal): Promise<Node> {
    await this.#session();
    try {
      return await this.#send(method, on, body, signal);
    } catch (err) {
      if (!(err instanceof VimFault && err.fault === 'NotAuthenticated')) throw err;
      this.#login = undefined;
      await this.#session();
      return this.#send(method, on, body, signal);
    }
  }

  /** Starts a task and waits for its end; gives its result. */
  async task(method: string, on: Moref, body = '', signal?: AbortSignal): Promise<Node | string | undefined> {
    const task = morefOf((await this.call(`${method}_Task`, on, body, signal))['returnval']);
    return poll(
      async () => {
        const [info] = await this.properties([task], 'Task', ['info'], signal);
        const facts = info?.props['info'] as Node;
        if (facts['state'] === 'success') return { result: facts['result'] as Node | string | undefined };
        if (facts['state'] === 'error') throw this.#fault(method, facts['error'] as Node);
        return undefined;
      },
      { clock: this.clock, signal, timeout_ms: TASK_MS, interval_ms: 300, what: `vSphere's ${method}` },
    ).then(({ result }) => result);
  }

  /** By a path of the inventory; undefined when there is nothing. */
  async lookUp(path: string, signal?: AbortSignal): Promise<Moref | undefined> {
    const index = await this.service('searchIndex');
    const answer = await this.call('FindByInventoryPath', index, `<inventoryPath>${xml(path)}</inventoryPath>`, signal);
    return answer['returnval'] === undefined ? undefined : morefOf(answer['returnval']);
  }

  /** Which of these privileges our account lacks on an object. */
  async lacks(on: Moref, privileges: readonly string[], signal?: AbortSignal): Promise<string[]> {
    const manager = await this.service('authorizationManager');
    const asked = privileges.map((name) => `<privId>${xml(name)}</privId>`).join('');
    const body = `${moref('entity', on)}<sessionId>${xml(this.#key)}</sessionId>${asked}`;
    const answer = await this.call('HasPrivilegeOnEntities', manager, body, signal);
    const told = list(answer['returnval']).flatMap((entity) => list(entity['privAvailability']));
    const granted = new Set(told.filter((one) => one['isGranted'] === 'true').map((one) => wordOf(one['privId'])));
    return privileges.filter((name) => !granted.has(name));
  }

  async properties(
    objects: readonly Moref[],
    type: string,
    names: readonly string[],
    signal?: AbortSignal,
  ): Promise<{ object: Moref; props: Node }[]> {
    if (objects.length === 0) return [];
    const collector = await this.service('propertyCollector');
    const wanted = names.map((name) => `<pathSet>${name}</pathSet>`).join('');
    const sets = objects.map((object) => `<objectSet>${moref('obj', object)}</objectSet>`).join('');
    const spec = `<specSet><propSet><type>${type}</type>${wanted}</propSet>${sets}</specSet>`;
    const answer = await this.call('RetrievePropertiesEx', collector, `${spec}<options/>`, signal);
    const result = answer['returnval'] as Node | undefined;
    return list(result?.['objects']).map((entry) => ({
      object: morefOf(entry['obj']),
      props: Object.fromEntries(list(entry['propSet']).map((prop) => [wordOf(prop['name']), prop['val']])),
    }));
  }

  /** One of the service's own objects. */
  async service(name: string): Promise<Moref> {
    await this.#session();
    return morefOf(this.#content?.[name]);
  }

  /** A file on the datastore; `undefined` where it is not. */
  async download(path: string, from: number): Promise<Buffer | undefined> {
    const answer = await this.#folder('GET', path, { range: `bytes=${from}-` });
    if (answer.status === 404) return undefined;
    if (answer.status === 416) return Buffer.alloc(0);
    if (answer.status !== 200 && answer.status !== 206) throw this.#refused(`GET ${path}`, answer.status);
    return answer.status === 206 ? answer.body : answer.body.subarray(from);
  }

  async upload(path: string, content: Buffer | { file: string }): Promise<void> {
    const bytes = Buffer.isBuffer(content) ? content.length : (await stat(content.file)).size;
    const body = Buffer.isBuffer(content) ? content : createReadStream(content.file);
    const headers = { 'content-length': String(bytes), 'content-type': 'application/octet-stream' };
    const { status } = await this.#folder('PUT', path, headers, body);
    if (status !== 200 && status !== 201) throw this.#refused(`PUT ${path}`, status);
  }

  close(): void {
    void this.#agent?.then((agent) => agent.close()).catch(() => undefined);
  }

  async #folder(
    method: 'GET' | 'PUT',
    path: string,
    headers: Record<string, string>,
    body?: Buffer | ReturnType<typeof createReadStream>,
  ): Promise<{ status: number; body: Buffer }> {
    await this.#session();
    const { datacenter, datastore, url } = this.config;
    const query = `dcPath=${encodeURIComponent(datacenter)}&dsName=${encodeURIComponent(datastore)}`;
    const { statusCode, body: answer } = await request(new URL(`/folder/${path}?${query}`, url), {
      ...{ method, headers: { ...headers, ...this.#cookies() }, dispatcher: await this.#dispatcher() },
      ...{ headersTimeout: TASK_MS, bodyTimeout: TASK_MS },
      ...(body === undefined ? {} : { body }),
    });
    return { status: statusCode, body: Buffer.from(await answer.arrayBuffer()) };
  }

  #session(): Promise<void> {
    this.#login ??= this.#logIn().catch((err: unknown) => {
      this.#login = undefined;
      throw err;
    });
    return this.#login;
  }

  async #logIn(): Promise<void> {
    const { credentials_file: file } = this.config;
    const { username, password } = await readCredentials(file, vsphereCredentialsSchema, 'username or password');
    this.#cookie = undefined;
    const root = { type: 'ServiceInstance', value: 'ServiceInstance' };
    this.#content = (await this.#send('RetrieveServiceContent', root, ''))['returnval'] as Node;
    const who = `<userName>${xml(username)}</userName><password>${xml(password)}</password>`;
    const { returnval } = await this.#send('Login', morefOf(this.#content['sessionManager']), who);
    this.#key = wordOf((returnval as Node | undefined)?.['key']);
  }

  async #send(method: string, on: Moref, body: string, signal?: AbortSignal): Promise<Node> {
    const envelope =
      '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" ' +
      'xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>' +
      `<${method} xmlns="urn:vim25">${moref('_this', on)}${body}</${method}></soapenv:Body></soapenv:Envelope>`;
    const sent = await request(new URL('/sdk', this.config.url), {
      ...{ method: 'POST', body: envelope, dispatcher: await this.#dispatcher() },
      headers: { 'content-type': 'text/xml; charset=utf-8', soapaction: 'urn:vim25/6.5', ...this.#cookies() },
      ...{ headersTimeout: CALL_MS, bodyTimeout: CALL_MS },
      ...(signal ? { signal } : {}),
    }).catch((err: unknown) => {
      signal?.throwIfAborted();
      throw new UnikError('provider_unavailable', `vSphere ${method}: ${messageOf(err)}`, { cause: err });
    });
    const cookie = sent.headers['set-cookie'];
    if (cookie !== undefined) this.#cookie = String(Array.isArray(cookie) ? cookie[0] : cookie).split(';')[0];
    const parsed = this.#parser.parse(await sent.body.text()) as Node;
    const inside = (parsed['Envelope'] as Node | undefined)?.['Body'] as Node | undefined;
    const fault = inside?.['Fault'] as Node | undefined;
    if (fault) throw this.#fault(method, fault);
    const answer = inside?.[`${method}Response`];
    if (answer === undefined) throw this.#refused(method, sent.statusCode);
    return typeof answer === 'string' ? {} : (answer as Node);
  }

  #fault(method: string, fault: Node): VimFault {
    const detail = (fault['detail'] ?? fault['fault'] ?? {}) as Node;
    const named = detail['@_type'] ?? Object.keys(detail).find((key) => key.endsWith('Fault')) ?? 'Fault';
    const kind = wordOf(named)
      .replace(/^\w+:/, '')
      .replace(/Fault$/, '');
    const words = wordOf(fault['faultstring'] ?? fault['localizedMessage']).slice(0, 300);
    const code = UNAVAILABLE.includes(kind)
      ? 'provider_unavailable'
      : FULL.includes(kind)
        ? 'insufficient_memory'
        : 'machine_failed';
    return new VimFault(code, `vSphere ${method}: ${kind}: ${words}`, kind);
  }

  #refused(what: string, status: number): UnikError {
    return new UnikError('provider_unavailable', `vSphere ${what}: HTTP status ${status}`);
  }

  #cookies(): Record<string, string> {
    return this.#cookie === undefined ? {} : { cookie: this.#cookie };
  }

  #dispatcher(): Promise<Agent> {
    this.#agent ??= (async () => {
      const { ca_file } = this.config;
      return new Agent(ca_file === undefined ? {} : { connect: { ca: await readFile(ca_file) } });
    })();
    return this.#agent;
  }
}

export function morefOf(node: unknown): Moref {
  const { '@_type': type = '', '#text': value = '' } = (node ?? {}) as Record<string, string>;
  if (type === '' || value === '') throw new UnikError('provider_unavailable', 'vSphere: an answer names no object');
  return { type, value };
}

export function moref(name: string, { type, value }: Moref): string {
  return `<${name} type="${type}">${xml(value)}</${name}>`;
}

/** The text of a node that has no more than that. */
export function wordOf(node: Node[string]): string {
  return typeof node === 'string' ? node : '';
}

export function list(node: Node[string]): Node[] {
  if (node === undefined || typeof node === 'string') return [];
  return Array.isArray(node) ? node : [node];
}

export function xml(text: string): string {
  const names: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text.replace(/[&<>"]/g, (found) => names[found] ?? found);
}

/** For faults that mean that what was asked for is so already. */
export const unless =
  (...faults: string[]) =>
  (err: unknown): undefined => {
    if (err instanceof VimFault && faults.includes(err.fault)) return undefined;
    throw err;
  };
