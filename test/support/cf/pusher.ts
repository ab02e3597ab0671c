/** What a developer does with one app: with the real `cf`, or by the API calls that `cf` makes where it cannot be had. */
import { missingPeers, peer } from '../peers.js';
import { zipOf } from '../staging/bits.js';
import { until } from '../unik.js';
import { CfCli } from './cli.js';
import type { Platform } from './platform.js';

export interface Pusher {
  /** `cf push APP -s STACK -m 64M -k 64M -p FOLDER`. */
  push(app: string, stack: string, folder: string): Promise<void>;
  /** `cf logs APP --recent`. */
  logs(app: string): Promise<string>;
  /** `cf scale APP -i COUNT`. */
  scale(app: string, count: number): Promise<void>;
  /** States of its instances. */
  states(app: string): Promise<string[]>;
  /** `cf delete -f -r APP`. */
  delete(app: string): Promise<void>;
  close(): void;
}

const START_MS = 300_000;

export async function openPusher(platform: Platform): Promise<Pusher> {
  const [missing] = missingPeers(['cf']);
  if (missing === undefined) return withCf(platform);
  process.stderr.write(`without cf, by its API calls: ${missing}\n`);
  return ApiPusher.open(platform);
}

async function withCf(platform: Platform): Promise<Pusher> {
  const cf = new CfCli(peer('cf'), { CF_STARTUP_TIMEOUT: '5' });
  await cf.ok(['api', platform.api]);
  await cf.ok(['auth', 'admin', await platform.password()]);
  await cf.ok(['target', '-o', 'unik', '-s', 'dev']);
  return {
    push: async (app, stack, folder) => {
      await cf.ok(['push', app, '-s', stack, '-m', '64M', '-k', '64M', '-p', folder], { timeout_ms: START_MS });
    },
    logs: (app) => cf.ok(['logs', app, '--recent']),
    scale: async (app, count) => {
      await cf.ok(['scale', app, '-i', String(count)]);
    },
    states: async (app) => {
      const guid = (await cf.ok(['app', app, '--guid'])).trim();
      const answer = JSON.parse(await cf.ok(['curl', `/v3/apps/${guid}/processes/web/stats`])) as Stats;
      return answer.resources.map(({ state }) => state);
    },
    delete: async (app) => {
      await cf.ok(['delete', '-f', '-r', app]);
    },
    close: () => cf.remove(),
  };
}

interface Stats {
  resources: { state: string }[];
}
interface Named {
  guid: string;
  state: string;
  error?: string | null;
}

class ApiPusher implements Pusher {
  private constructor(
    private readonly api: string,
    private readonly token: string,
  ) {}

  static async open(platform: Platform): Promise<ApiPusher> {
    const reply = await fetch(`${platform.api}/oauth/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from('cf:').toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'password', username: 'admin', password: await platform.password() }),
    });
    return new ApiPusher(platform.api, ((await reply.json()) as { access_token: string }).access_token);
  }

  async push(app: string, stack: string, folder: string): Promise<void> {
    const [space] = await this.#list('/v3/spaces?names=dev');
    const manifest = `applications:\n- name: ${app}\n  default-route: true\n  memory: 64M\n  disk_quota: 64M\n  stack: ${stack}\n`;
    const applied = await this.#call(
      'POST',
      `/v3/spaces/${space?.guid ?? ''}/actions/apply_manifest`,
      manifest,
      'application/x-yaml',
    );
    const job = new URL(applied.headers.get('location') ?? '').pathname;
    await this.#ended(`the manifest of ${app} is applied`, job, 'PROCESSING', 'COMPLETE');
    const guid = await this.#guid(app);
    const made = await this.#json<Named>('POST', '/v3/packages', {
      type: 'bits',
      relationships: { app: { data: { guid } } },
    });
    const form = new FormData();
    form.set('resources', '[]');
    form.set('bits', new Blob([new Uint8Array(await zipOf(folder))]), 'package.zip');
    await this.#json('POST', `/v3/packages/${made.guid}/upload`, form);
    const build = await this.#json<Named>('POST', '/v3/builds', { package: { guid: made.guid } });
    const staged = await this.#ended(`${app} is staged`, `/v3/builds/${build.guid}`, 'STAGING', 'STAGED');
    const droplet = (staged as Named & { droplet: Named }).droplet.guid;
    await this.#json('PATCH', `/v3/apps/${guid}/relationships/current_droplet`, { data: { guid: droplet } });
    // As `cf push` does: what runs is stopped first.
    await this.#json('POST', `/v3/apps/${guid}/actions/restart`);
    await until(`${app} runs`, async () => ((await this.states(app)).includes('RUNNING') ? true : undefined), START_MS);
  }

  async logs(app: string): Promise<string> {
    const path = `/api/v1/read/${await this.#guid(app)}?envelope_types=LOG&limit=1000&descending=true`;
    const { envelopes } = await this.#json<{ envelopes: { batch: { log?: { payload: string } }[] } }>('GET', path);
    return envelopes.batch.map(({ log }) => Buffer.from(log?.payload ?? '', 'base64').toString()).join('\n');
  }

  async scale(app: string, count: number): Promise<void> {
    await this.#json('POST', `/v3/apps/${await this.#guid(app)}/processes/web/actions/scale`, { instances: count });
  }

  async states(app: string): Promise<string[]> {
    const answer = await this.#json<Stats>('GET', `/v3/apps/${await this.#guid(app)}/processes/web/stats`);
    return answer.resources.map(({ state }) => state);
  }

  async delete(app: string): Promise<void> {
    const guid = await this.#guid(app);
    const answer = await this.#call('DELETE', `/v3/apps/${guid}`);
    const job = new URL(answer.headers.get('location') ?? '').pathname;
    await this.#ended(`${app} is deleted`, job, 'PROCESSING', 'COMPLETE');
  }

  close(): void {
    // Nothing is kept.
  }

  async #guid(app: string): Promise<string> {
    const [found] = await this.#list(`/v3/apps?names=${app}`);
    if (!found) throw new Error(`there is no app ${app}`);
    return found.guid;
  }

  async #list(path: string): Promise<Named[]> {
    return (await this.#json<{ resources: Named[] }>('GET', path)).resources;
  }

  async #ended(what: string, path: string, during: string, wanted: string): Promise<Named> {
    const end = await until(
      what,
      async () => {
        const now = await this.#json<Named>('GET', path);
        return now.state === during ? undefined : now;
      },
      START_MS,
    );
    if (end.state !== wanted) throw new Error(`not so: ${what}: ${JSON.stringify(end)}`);
    return end;
  }

  async #json<T>(method: string, path: string, body?: unknown): Promise<T> {
    const reply = await this.#call(method, path, body);
    return (await reply.json()) as T;
  }

  async #call(method: string, path: string, body?: unknown, type = 'application/json'): Promise<Response> {
    const isForm = body instanceof FormData;
    const reply = await fetch(`${this.api}${path}`, {
      method,
      headers: { authorization: `bearer ${this.token}`, ...(isForm ? {} : { 'content-type': type }) },
      ...(body === undefined ? {} : { body: isForm ? body : typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    if (reply.status >= 400) throw new Error(`${method} ${path}: ${reply.status} ${await reply.text()}`);
    return reply;
  }
}
