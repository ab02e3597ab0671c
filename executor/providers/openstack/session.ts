import { z } from 'zod';
import type { Clock } from '../../../core/clock.js';
import { UnikError } from '../../../core/errors.js';
import type { OpenStackConfig } from './config.js';
import { readCloud, type Cloud } from './credentials.js';
import { hasStatus } from './errors.js';
import { Http, type HttpAnswer, type HttpOrder } from './http.js';

export type ServiceName = 'compute' | 'image' | 'network';

/**
 * Of Nova, what is newer than its first: tags that a server is made with, which are asked for later (2.52, of 2017).
 * https://docs.openstack.org/nova/latest/reference/api-microversion-history.html
 */
export const MICROVERSION = '2.52';

const tokenSchema = z.object({
  token: z.object({
    expires_at: z.string(),
    project: z.object({ id: z.string(), name: z.string() }).optional(),
    user: z.object({ id: z.string(), name: z.string() }),
    roles: z.array(z.object({ name: z.string() })).default([]),
    catalog: z
      .array(
        z.object({
          type: z.string(),
          endpoints: z.array(
            z.object({
              interface: z.string(),
              region_id: z.string().nullish(),
              region: z.string().nullish(),
              url: z.string(),
            }),
          ),
        }),
      )
      .default([]),
  }),
});
export type Token = z.output<typeof tokenSchema>['token'];

interface Login {
  cloud: Cloud;
  token: Token;
  secret: string;
  /** When a new one is asked for. */
  renew_at: number;
}

export interface ServiceOrder extends Omit<HttpOrder, 'call' | 'url' | 'headers'> {
  service: ServiceName;
  /** Below the service's version, such as `/servers`. */
  path: string;
}

/** A token lives this much longer than a call may take. */
const MARGIN_MS = 5 * 60_000;

const NAMES: Record<ServiceName, string> = { compute: 'nova', image: 'glance', network: 'neutron' };

/** One login at Keystone, renewed by itself, and calls to the services that its catalogue names. */
export class Session {
  readonly #http: Http;
  #login: { promise: Promise<Login>; value?: Login } | undefined;

  constructor(
    private readonly config: OpenStackConfig,
    private readonly clock: Clock,
  ) {
    this.#http = new Http(clock);
  }

  /** What Keystone says of us. */
  async token(): Promise<Token> {
    return (await this.#current()).token;
  }

  /** A token that was refused before it expired is renewed once. */
  async call(order: ServiceOrder): Promise<HttpAnswer> {
    const login = await this.#current();
    try {
      return await this.#send(login, order);
    } catch (err) {
      if (!hasStatus(err, 401)) throw err;
      if (this.#login?.value === login) this.#login = undefined;
      return this.#send(await this.#current(), order);
    }
  }

  /** Checks the answer's form; a service that speaks otherwise is not the one meant. */
  async ask<T>(order: ServiceOrder, schema: z.ZodType<T>): Promise<T> {
    const { body } = await this.call(order);
    const parsed = schema.safeParse(body);
    if (parsed.success) return parsed.data;
    const where = parsed.error.issues.map(({ path }) => path.join('.')).join(', ');
    throw new UnikError('bad_reply', `${callOf(order)}: the answer has no proper ${where || 'JSON'}`);
  }

  /** Throws config_invalid naming what the catalogue has instead. */
  async endpoint(service: ServiceName): Promise<string> {
    const { cloud, token } = await this.#current();
    return endpointIn(token, service, cloud);
  }

  close(): void {
    this.#http.close();
  }

  async #send({ cloud, token, secret }: Login, order: ServiceOrder): Promise<HttpAnswer> {
    const { service, path, ...rest } = order;
    const headers = {
      'x-auth-token': secret,
      ...(service === 'compute' ? { 'openstack-api-version': `compute ${MICROVERSION}` } : {}),
    };
    const url = `${endpointIn(token, service, cloud)}${path}`;
    return this.#http.send({ ...rest, call: callOf(order), url, headers }, cloud.ca_file);
  }

  /** The one there is, or the one under way; several that find it old renew it once. */
  #current(): Promise<Login> {
    const last = this.#login;
    if (last && (last.value === undefined || this.clock.now() < last.value.renew_at)) return last.promise;
    const fresh: { promise: Promise<Login>; value?: Login } = { promise: this.#logIn() };
    this.#login = fresh;
    fresh.promise.then(
      (login) => (fresh.value = login),
      () => {
        if (this.#login === fresh) this.#login = undefined;
      },
    );
    return fresh.promise;
  }

  async #logIn(): Promise<Login> {
    const cloud = await readCloud(this.config);
    const call = 'keystone POST /v3/auth/tokens';
    const order = {
      method: 'POST',
      again: true,
      call,
      url: `${cloud.auth_url}/auth/tokens`,
      json: cloud.login,
    } as const;
    const { headers, body } = await this.#http.send(order, cloud.ca_file);
    const secret = headers['x-subject-token'];
    const parsed = tokenSchema.safeParse(body);
    if (!parsed.success || typeof secret !== 'string')
      throw new UnikError('bad_reply', `${call}: the answer is no token`);
    const { token } = parsed.data;
    const left = Date.parse(token.expires_at) - this.clock.now();
    return { cloud, token, secret, renew_at: this.clock.now() + Math.max(left / 2, left - MARGIN_MS) };
  }
}

function callOf({ service, method, path }: ServiceOrder): string {
  return `${NAMES[service]} ${method} ${path.split('?')[0] ?? ''}`;
}

/** Pure. Where a service is, with its version. Catalogues name it with or without. */
export function endpointIn(
  token: Token,
  service: ServiceName,
  { region_name, interface: side }: Pick<Cloud, 'region_name' | 'interface'>,
): string {
  const all = token.catalog.filter(({ type }) => type === service).flatMap(({ endpoints }) => endpoints);
  const regionOf = (one: (typeof all)[number]): string => one.region_id ?? one.region ?? '';
  const found = all.find(
    (one) => one.interface === side && (region_name === undefined || regionOf(one) === region_name),
  );
  if (!found) {
    const there = [...new Set(all.map((one) => `${one.interface} in ${regionOf(one)}`))].join(', ');
    const wanted = `${side}${region_name === undefined ? '' : ` in region ${region_name}`}`;
    throw new UnikError(
      'config_invalid',
      `the catalogue has no ${service} endpoint, ${wanted}; it has: ${there || 'none for this project'}`,
    );
  }
  const url = found.url.replace(/\/+$/, '');
  if (service === 'compute') return /\/v2(\.\d+)?(\/|$)/.test(url) ? url : `${url}/v2.1`;
  return `${url.replace(/\/v2(\.\d+)?$/, '')}${service === 'image' ? '/v2' : '/v2.0'}`;
}
