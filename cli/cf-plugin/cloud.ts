import { z } from 'zod';
import { UnikError } from '../../core/errors.js';
import { jsonOf } from '../../core/json.js';
import * as shapes from './shapes.js';
import type { Ask, Reply } from './transport.js';

export type Query = Readonly<Record<string, string>>;

/** The v3 calls of a Cloud Controller that the plugin makes. Every call throws what `#send` throws. */
export class Cloud {
  constructor(
    private readonly ask: Ask,
    private readonly target: { api: string; token: string },
  ) {}

  /** Throws app_missing. */
  async app(name: string, space: string): Promise<shapes.App> {
    const [found] = await this.list('/v3/apps', shapes.app, { names: name, space_guids: space });
    if (!found) throw new UnikError('app_missing', `App '${name}' not found.`);
    return found;
  }

  async appByGuid(guid: string): Promise<shapes.App> {
    return this.get(`/v3/apps/${guid}`, shapes.app);
  }

  async stacks(): Promise<shapes.Stack[]> {
    return this.list('/v3/stacks', shapes.stack);
  }

  async newestPackage(app: string): Promise<shapes.Package | undefined> {
    const query = { app_guids: app, order_by: '-created_at', page: '1', per_page: '1' };
    return (await this.list('/v3/packages', shapes.appPackage, query))[0];
  }

  /** Has this package a droplet? Then the CLI starts the app without staging it. */
  async isStaged(appPackage: string): Promise<boolean> {
    const query = { states: 'STAGED', page: '1', per_page: '1' };
    return (await this.list(`/v3/packages/${appPackage}/droplets`, shapes.droplet, query)).length > 0;
  }

  /** Undefined: nothing is staged yet. */
  async currentDroplet(app: string): Promise<shapes.Droplet | undefined> {
    return this.find(`/v3/apps/${app}/droplets/current`, shapes.droplet);
  }

  async buildpacks(names: readonly string[]): Promise<shapes.Buildpack[]> {
    if (names.length === 0) return [];
    return this.list('/v3/buildpacks', shapes.buildpack, { names: names.join(',') });
  }

  async variables(app: string): Promise<Readonly<Record<string, string>>> {
    return (await this.get(`/v3/apps/${app}/environment_variables`, shapes.variables)).var;
  }

  async setVariables(app: string, changes: Readonly<Record<string, string | null>>): Promise<void> {
    await this.#send('PATCH', `/v3/apps/${app}/environment_variables`, { var: changes });
  }

  async change(app: string, patch: unknown): Promise<void> {
    await this.#send('PATCH', `/v3/apps/${app}`, patch);
  }

  async get<T>(path: string, shape: z.ZodType<T>): Promise<T> {
    return parse(path, shape, await this.#send('GET', path));
  }

  /** Undefined on 404. */
  async find<T>(path: string, shape: z.ZodType<T>): Promise<T | undefined> {
    const reply = await this.ask(this.target.api + path, { headers: this.#headers });
    return reply.status === 404 ? undefined : parse(path, shape, accepted(reply, path));
  }

  /** All pages, unless the query asks for one. */
  async list<T>(path: string, shape: z.ZodType<T>, query: Query = {}): Promise<T[]> {
    const page = z.looseObject({
      resources: z.array(shape),
      pagination: z.looseObject({ next: z.looseObject({ href: z.string() }).nullish() }).nullish(),
    });
    const found: T[] = [];
    const words = new URLSearchParams(query).toString();
    let next: string | undefined = words === '' ? path : `${path}?${words}`;
    while (next !== undefined) {
      const reply: z.infer<typeof page> = parse(path, page, await this.#send('GET', next));
      found.push(...reply.resources);
      const href: string | undefined = query['page'] === undefined ? reply.pagination?.next?.href : undefined;
      // The token goes to the targeted API alone, whatever the answer says about where its next page lies.
      next = href === undefined ? undefined : new URL(href).pathname + new URL(href).search;
    }
    return found;
  }

  /** Throws peer_unreachable; cf_refused with the platform's own words; target_missing: log in again. */
  async #send(method: 'GET' | 'PATCH', path: string, body?: unknown): Promise<string> {
    const asked = { method, headers: this.#headers, ...(body === undefined ? {} : { body }) };
    return accepted(await this.ask(this.target.api + path, asked), path);
  }

  get #headers(): Readonly<Record<string, string>> {
    return { authorization: this.target.token };
  }
}

function accepted({ status, text }: Reply, path: string): string {
  if (status < 400) return text;
  const details = failures(text);
  const what = details.length > 0 ? details.join('\n') : `${path} answered ${status}`;
  throw new UnikError(status === 401 ? 'target_missing' : 'cf_refused', what);
}

function failures(text: string): string[] {
  const found = shapes.failure.safeParse(jsonOf(text));
  return found.success ? found.data.errors.map(({ detail }) => detail) : [];
}

export function parse<T>(what: string, shape: z.ZodType<T>, text: string): T {
  const found = shape.safeParse(jsonOf(text));
  if (found.success) return found.data;
  const [issue] = found.error.issues;
  const where = issue ? `${issue.path.join('.')}: ${issue.message}` : '';
  throw new UnikError('bad_reply', `the answer to ${what} is not of the shape known: ${where}`);
}
