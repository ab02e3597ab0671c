/**
 * The few Cloud Controller, UAA and log-cache answers that `cf login` and the plugin need, with the rules of the real
 * ones that matter to it: a stack must exist, a Docker app's lifecycle data is ignored, metadata and variables merge.
 */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { close, listen } from './http.js';

interface DoubleApp {
  guid: string;
  name: string;
  state: string;
  lifecycle: { type: string; data: { stack?: string | null; buildpacks?: string[] } };
  metadata: { labels: Record<string, string>; annotations: Record<string, string> };
}

export interface CloudState {
  stacks: { name: string; annotations?: Record<string, string> }[];
  apps: DoubleApp[];
  variables: Record<string, string>;
  packages: { guid: string; state: string; type: string }[];
  /** Of the newest package, and the app's current one. */
  droplet?: { guid: string; state: string; stack: string; buildpacks: { name: string; version: string }[] };
  stats: { index: number; state: string; instance_guid: string }[];
  lines: { at: string; instance: string; text: string }[];
  /** Answer to every PATCH instead of doing it. */
  refuse?: { status: number; title: string; detail: string };
}

export interface CloudDouble {
  url: string;
  state: CloudState;
  /** Every change that was asked for, in order. */
  patches: { path: string; body: unknown }[];
  close(): Promise<void>;
}

type Json = Record<string, unknown>;
const page = (resources: unknown[]): Json => ({ pagination: { next: null }, resources });
const named = (guid: string): Json => ({ guid, name: guid, relationships: {} });

export async function startCloudDouble(state: CloudState): Promise<CloudDouble> {
  const patches: CloudDouble['patches'] = [];
  let url = '';
  const server = createServer((request, reply) => {
    void answer(request).then(({ status, body }) => {
      reply.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
  });
  async function answer(request: IncomingMessage): Promise<{ status: number; body: Json }> {
    const { pathname, searchParams } = new URL(request.url ?? '/', url);
    const text = await bodyOf(request);
    const ok = (body: Json): { status: number; body: Json } => ({ status: 200, body });
    const error = (status: number, title: string, detail: string) => ({
      status,
      body: { errors: [{ code: 1, title, detail }] },
    });
    if (pathname === '/') return ok(root(url));
    if (pathname === '/login')
      return ok({ prompts: { username: ['text', 'u'], password: ['password', 'p'] }, app: {} });
    if (pathname === '/oauth/token') return ok(token());
    if (request.headers.authorization === undefined) return error(401, 'CF-NotAuthenticated', 'Authentication error');
    if (pathname === '/v3/organizations') return ok(page([named('org')]));
    if (pathname === '/v3/spaces') return ok(page([named('space')]));
    if (pathname === '/v3/stacks') return ok(page(state.stacks.map(stackView)));
    if (pathname === '/v3/buildpacks') return ok(page([{ name: 'container_buildpack', stack: 'cflinuxfs4' }]));
    if (pathname === '/v3/packages') return ok(page(state.packages));
    if (/^\/v3\/packages\/[^/]+\/droplets$/.test(pathname)) return ok(page(state.droplet ? [state.droplet] : []));
    if (pathname === '/v3/apps') {
      const names = searchParams.get('names')?.split(',');
      return ok(page(state.apps.filter(({ name }) => names?.includes(name) ?? true)));
    }
    const [, guid, rest] = /^\/v3\/apps\/([^/]+)(\/.*)?$/.exec(pathname) ?? [];
    const app = state.apps.find((row) => row.guid === guid);
    if (request.method === 'PATCH' && app) {
      if (state.refuse) return error(state.refuse.status, state.refuse.title, state.refuse.detail);
      const body = JSON.parse(text) as Json;
      patches.push({ path: pathname, body });
      return rest === '/environment_variables' ? ok({ var: setVariables(body) }) : change(app, body);
    }
    if (app && rest === undefined) return ok({ ...app });
    if (app && rest === '/environment_variables') return ok({ var: state.variables });
    if (app && rest === '/droplets/current' && state.droplet) return ok({ ...state.droplet });
    if (app && rest === '/processes/web/stats') return ok({ resources: state.stats });
    if (pathname === `/api/v1/read/${state.apps[0]?.guid}`)
      return ok({ envelopes: { batch: state.lines.map(envelope) } });
    return error(404, 'CF-ResourceNotFound', 'Droplet not found');

    function change(row: DoubleApp, body: Json): { status: number; body: Json } {
      const { lifecycle, metadata } = body as { lifecycle?: DoubleApp['lifecycle']; metadata?: Json };
      const stack = lifecycle?.data.stack;
      if (stack && row.lifecycle.type !== 'docker') {
        if (!state.stacks.some(({ name }) => name === stack)) {
          return error(422, 'CF-UnprocessableEntity', 'Stack must be an existing stack');
        }
        row.lifecycle.data.stack = stack;
      }
      for (const kind of ['labels', 'annotations'] as const)
        merge(row.metadata[kind], (metadata?.[kind] ?? {}) as Json);
      return ok({ ...row });
    }
  }
  function setVariables(body: Json): Record<string, string> {
    merge(state.variables, body['var'] as Json);
    return state.variables;
  }
  await listen(server);
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, state, patches, close: () => close(server) };
}

function merge(into: Record<string, string>, from: Json): void {
  for (const [key, value] of Object.entries(from)) {
    if (typeof value === 'string') into[key] = value;
    else Reflect.deleteProperty(into, key);
  }
}

const stackView = ({ name, annotations = {} }: CloudState['stacks'][number]): Json => ({
  guid: `stack-${name}`,
  name,
  metadata: { labels: {}, annotations },
});

const envelope = ({ at, instance, text }: CloudState['lines'][number]): Json => ({
  timestamp: at,
  tags: { source_type: 'CELL', process_instance_id: instance },
  log: { payload: Buffer.from(text).toString('base64'), type: 'OUT' },
});

const root = (url: string): Json => ({
  links: {
    cloud_controller_v3: { href: `${url}/v3`, meta: { version: '3.180.0' } },
    login: { href: url },
    uaa: { href: url },
    log_cache: { href: url },
  },
});

function token(): Json {
  const part = (value: Json): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1_000) + 3_600;
  const claims = { exp, user_name: 'admin', user_id: 'u', origin: 'uaa', client_id: 'cf' };
  return {
    access_token: `${part({ alg: 'none' })}.${part(claims)}.c2lnbmF0dXJl`,
    refresh_token: 'r',
    token_type: 'bearer',
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}
