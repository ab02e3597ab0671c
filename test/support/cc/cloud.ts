/** A whole Cloud Foundry of one machine in this process, with a cell of fake machines that really stages. */
import { expect } from '@jest/globals';
import { execa } from 'execa';
import { mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startCell, type Cell } from '../../../backend/cell/cell.js';
import { loadCellConfig } from '../../../backend/cell/config.js';
import { makeCellParts } from '../../../backend/cell/parts.js';
import { systemClock } from '../../../core/clock.js';
import { noLog } from '../../../core/log.js';
import { cellConfig } from '../../../localcf/cell-config.js';
import { configSchema } from '../../../localcf/config.js';
import { startLocalCf, type LocalCf } from '../../../localcf/localcf.js';
import { freePorts } from '../diego/children.js';
import type { Diego } from '../diego/diego.js';
import { addKernel } from '../home.js';
import { ACCOUNTS } from '../staging/bench.js';
import { ownLifecycle, zipped } from '../staging/bits.js';
import { root, until } from '../unik.js';

export type Json = Record<string, unknown>;
export interface Answer {
  status: number;
  body: Json;
  headers: Headers;
}

export class Cloud {
  localcf!: LocalCf;
  #cell: Cell | undefined;
  #token = '';

  private constructor(
    readonly home: string,
    private readonly ports: { api: number; router: number },
    private readonly diego: Diego | undefined,
  ) {}

  /** `diego`: in place of the embedded one; closed with the rest. */
  static async open(diego?: Diego): Promise<Cloud> {
    const home = await realpath(await mkdtemp(join(tmpdir(), 'ukc-')));
    const [api = 0, router = 0] = await freePorts(2);
    await writeFile(join(home, 'lifecycle.tgz'), await ownLifecycle());
    await execa(process.execPath, [
      join(root, 'scripts/package-buildpack.mjs'),
      '--out',
      join(home, 'unik_buildpack-v0.zip'),
    ]);
    const cloud = new Cloud(home, { api, router }, diego);
    await cloud.start();
    await cloud.#startCell();
    const stack = async (): Promise<true | undefined> =>
      (await cloud.list('/v3/stacks?names=unik')).length > 0 ? true : undefined;
    await until('the stack of the cell is there', stack, 60_000);
    return cloud;
  }

  async start(): Promise<void> {
    const { home, ports } = this;
    const other = this.diego && {
      diego: { bbs_url: this.diego.bbs_url, locket_address: this.diego.locket_address, tls: this.certificates },
    };
    this.localcf = await startLocalCf({
      ...{ home: join(home, 'cf'), command: [], env: {}, clock: systemClock, log: noLog },
      config: configSchema.parse({ cells: 0, api: { port: ports.api }, router: { port: ports.router }, ...other }),
      shipped: { lifecycle: join(home, 'lifecycle.tgz'), buildpack: join(home, 'unik_buildpack-v0.zip') },
    });
    const { username, password } = this.localcf.admin;
    this.#token = await this.login(username, password);
  }

  /** All but the cell ends; what it serves goes on. */
  async stop(): Promise<void> {
    await this.localcf.close();
  }

  async login(username: string, password: string): Promise<string> {
    const reply = await fetch(`${this.localcf.api_url}/oauth/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from('cf:').toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'password', username, password }),
    });
    const { access_token } = (await reply.json()) as { access_token: string };
    return access_token;
  }

  async call(
    method: string,
    path: string,
    body?: unknown,
    { token = this.#token, type = 'application/json' } = {},
  ): Promise<Answer> {
    const isForm = body instanceof FormData;
    const reply = await fetch(`${this.localcf.api_url}${path}`, {
      method,
      headers: {
        ...(token === '' ? {} : { authorization: `bearer ${token}` }),
        ...(isForm ? {} : { 'content-type': type }),
      },
      ...(body === undefined ? {} : { body: isForm ? body : typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await reply.text();
    const isJson = reply.headers.get('content-type')?.includes('json') === true;
    return { status: reply.status, body: (isJson ? JSON.parse(text) : { text }) as Json, headers: reply.headers };
  }

  /** The body of an answer that must be fine. */
  async ok(
    method: string,
    path: string,
    body?: unknown,
    options: { token?: string; type?: string } = {},
  ): Promise<Json> {
    const { status, body: answer } = await this.call(method, path, body, options);
    if (status >= 400) throw new Error(`${method} ${path}: ${status} ${JSON.stringify(answer)}`);
    return answer;
  }

  async list(path: string): Promise<Json[]> {
    return (await this.ok('GET', path))['resources'] as Json[];
  }

  /** Lines of this source that log-cache has of an app, oldest first. */
  async said(app: string, source: string): Promise<string[]> {
    const { log_cache } = (await this.ok('GET', '/'))['links'] as Record<string, { href: string }>;
    const reply = await fetch(`${log_cache?.href ?? ''}/api/v1/read/${app}?envelope_types=LOG&limit=1000`, {
      headers: { authorization: `bearer ${this.#token}` },
    });
    const { envelopes } = (await reply.json()) as { envelopes: { batch: { tags: Json; log: { payload: string } }[] } };
    return envelopes.batch
      .filter(({ tags }) => tags['source_type'] === source)
      .map(({ log }) => Buffer.from(log.payload, 'base64').toString());
  }

  /** Follows the Location of a job to its end; gives its errors. */
  async job({ headers }: Answer): Promise<unknown> {
    const url = new URL(headers.get('location') ?? '');
    return until(
      `job ${url.pathname} ends`,
      async () => {
        const { state, errors } = await this.ok('GET', url.pathname);
        return state === 'PROCESSING' ? undefined : errors;
      },
      60_000,
    );
  }

  get space(): string {
    return this.localcf.store.space.all()[0]?.guid ?? '';
  }

  /** `cf push --no-start` of these files, by a manifest. */
  async upload(
    name: string,
    files: Record<string, string>,
    manifest = 'stack: unik',
  ): Promise<{ app: string; pkg: string }> {
    const yaml = `applications:\n- name: ${name}\n  default-route: true\n${manifest.replace(/^/gm, '  ')}\n`;
    const applied = await this.call('POST', `/v3/spaces/${this.space}/actions/apply_manifest`, yaml, {
      type: 'application/x-yaml',
    });
    if (applied.status !== 202) throw new Error(JSON.stringify(applied.body));
    expect(await this.job(applied)).toEqual([]);
    const [app] = await this.list(`/v3/apps?names=${name}&space_guids=${this.space}`);
    const app_guid = String(app?.['guid']);
    const made = await this.ok('POST', '/v3/packages', {
      type: 'bits',
      relationships: { app: { data: { guid: app_guid } } },
    });
    const zip = await zipped(
      Object.entries(files).map(([file, content]) => ({ name: file, content: Buffer.from(content) })),
    );
    const form = new FormData();
    form.set('resources', '[]');
    form.set('bits', new Blob([new Uint8Array(zip)]), 'package.zip');
    const uploaded = await this.ok('POST', `/v3/packages/${String(made['guid'])}/upload`, form);
    expect(uploaded['state']).toBe('READY');
    return { app: app_guid, pkg: String(made['guid']) };
  }

  /** The build when it has ended. */
  async build(pkg: string): Promise<Json> {
    const { guid } = await this.ok('POST', '/v3/builds', { package: { guid: pkg } });
    return this.built(String(guid));
  }

  built(guid: string): Promise<Json> {
    return until(
      `build ${guid} ends`,
      async () => {
        const build = await this.ok('GET', `/v3/builds/${guid}`);
        return build['state'] === 'STAGING' ? undefined : build;
      },
      180_000,
    );
  }

  stats(app: string): Promise<Json[]> {
    return this.list(`/v3/apps/${app}/processes/web/stats`);
  }

  /** Stats once `fits` holds for them. */
  until(what: string, app: string, fits: (stats: Json[]) => boolean): Promise<Json[]> {
    return until(
      what,
      async () => {
        const stats = await this.stats(app);
        return fits(stats) ? stats : undefined;
      },
      60_000,
    );
  }

  running(app: string, count: number): Promise<Json[]> {
    return this.until(
      `${count} of ${app} run`,
      app,
      (stats) => stats.filter(({ state }) => state === 'RUNNING').length === count,
    );
  }

  /** Files of bits that are kept. */
  async bits(): Promise<string[]> {
    const entries = await readdir(join(this.home, 'cf/blobs/blobs'), { recursive: true, withFileTypes: true });
    return entries.filter((one) => one.isFile()).map(({ name }) => name);
  }

  /** Address of the internal listener. */
  async internal(): Promise<string> {
    return `https://127.0.0.1:${(await this.#ports())['internal'] ?? 0}`;
  }

  async #ports(): Promise<Record<string, number>> {
    return JSON.parse(await readFile(join(this.home, 'cf/ports.json'), 'utf8')) as Record<string, number>;
  }

  get certificates(): { ca_file: string; cert_file: string; key_file: string } {
    if (this.diego) {
      const { ca, cert, key } = this.diego.certs;
      return { ca_file: ca, cert_file: cert, key_file: key };
    }
    const at = (name: string): string => join(this.home, 'cf/certificates', name);
    return { ca_file: at('ca.crt'), cert_file: at('platform.crt'), key_file: at('platform.key') };
  }

  async #startCell(): Promise<void> {
    const { home } = this;
    const [rep = 0, admin = 0] = await freePorts(2);
    const ports = await this.#ports();
    const at = (name: string): string => `127.0.0.1:${ports[name] ?? 0}`;
    const file = join(home, 'cell.json');
    const over = { home: join(home, 'cell'), provider: 'fake', staging: { network: 'off', accounts: ACCOUNTS } };
    const facts = {
      ...{
        name: 'cell-0',
        ports: { 'cell-0.rep': rep, 'cell-0.admin': admin },
        files: this.certificates,
        stacks: ['unik'],
      },
      ...{
        bbs_url: this.diego?.bbs_url ?? `https://${at('bbs')}`,
        locket_address: this.diego?.locket_address ?? at('locket'),
        agent: at('agent'),
        memory_mb: 4096,
        log_level: 'info',
        over,
      },
    };
    await writeFile(file, JSON.stringify(cellConfig(facts)));
    await addKernel(join(home, 'cell/kernels'), '1.0');
    const config = await loadCellConfig(file);
    const parts = await makeCellParts(config, { clock: systemClock, log: noLog });
    this.#cell = await startCell({
      config,
      parts,
      clock: systemClock,
      log: noLog,
      signal: new AbortController().signal,
    });
  }

  async close(): Promise<void> {
    await this.localcf.close();
    await this.#cell?.close();
    await this.diego?.close();
    await rm(this.home, { recursive: true, force: true });
  }
}
