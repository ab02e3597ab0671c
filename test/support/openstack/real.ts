import { execa } from 'execa';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { request as ask, type IncomingMessage, type ServerResponse } from 'node:http';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../free-port.js';
import { peer } from '../peers.js';
import { PASSWORD } from './keystone.js';
import type { Identity, ImageSource, Who } from './wire.js';

const ADMIN = 'password-of-the-operator-of-a-test';

/** The real Keystone and Glance (of PyPI), with SQLite, Fernet tokens and a folder of images. */
export class RealHalf implements Identity, ImageSource {
  readonly #children: ChildProcess[] = [];
  readonly #ports = { identity: 0, image: 0 };
  readonly #known = new Map<string, { who: Who; until: number }>();
  #admin = '';

  private constructor(private readonly dir: string) {}

  /** `url`: the door in front of all services, as the catalogue shall name it. */
  static async open(dir: string, url: string): Promise<RealHalf> {
    const half = new RealHalf(dir);
    try {
      await half.#begin(url);
      await half.#furnish(url);
    } catch (err) {
      await half.close();
      throw err;
    }
    return half;
  }

  /** As the filter before real services does, it believes what it heard a moment ago. */
  async check(token: string): Promise<Who | undefined> {
    const known = this.#known.get(token);
    if (known && known.until > Date.now()) return known.who;
    const who = await this.#ask(token);
    if (who) this.#known.set(token, { who, until: Date.now() + 60_000 });
    return who;
  }

  async #ask(token: string): Promise<Who | undefined> {
    const answer = await this.#keystone('GET', '/auth/tokens', undefined, { 'x-subject-token': token });
    if (answer.status !== 200) return undefined;
    const { token: facts } = (await answer.json()) as {
      token: { project: { id: string }; user: { id: string }; roles: { name: string }[] };
    };
    return { project: facts.project.id, user: facts.user.id, roles: facts.roles.map(({ name }) => name) };
  }

  async image(id: string): ReturnType<ImageSource['image']> {
    const url = `http://127.0.0.1:${String(this.#ports.image)}/v2/images/${id}`;
    const answer = await fetch(url, { headers: { 'x-auth-token': this.#admin } });
    if (!answer.ok) return undefined;
    const image = (await answer.json()) as Record<string, unknown>;
    const properties = Object.fromEntries(
      Object.entries(image).filter((row): row is [string, string] => typeof row[1] === 'string'),
    );
    const { status = '', disk_format: format = '' } = properties;
    return { status, format, file: join(this.dir, 'images', id), properties, min_disk: Number(image['min_disk']) };
  }

  /** Passes a request on, with all it has, and the answer back. */
  forward(
    service: 'identity' | 'image',
    of: { request: IncomingMessage; response: ServerResponse; path: string },
  ): Promise<void> {
    const { request, response, path } = of;
    return new Promise((resolve, reject) => {
      const { host: _, ...headers } = request.headers;
      const to = {
        host: '127.0.0.1',
        port: this.#ports[service],
        path,
        method: request.method,
        headers,
        agent: false as const,
      };
      const onward = ask(to, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
        answer.once('end', resolve);
      });
      onward.once('error', reject);
      request.pipe(onward);
    });
  }

  /** Ids of all images. */
  async images(): Promise<string[]> {
    const url = `http://127.0.0.1:${String(this.#ports.image)}/v2/images`;
    const answer = await fetch(url, { headers: { 'x-auth-token': this.#admin } });
    return ((await answer.json()) as { images: { id: string }[] }).images.map(({ id }) => id);
  }

  /** An application credential of our user, as `openstack application credential create` makes it. */
  async applicationCredential(): Promise<{ id: string; secret: string }> {
    const answer = await this.#logIn('unik', PASSWORD, 'apps');
    const token = answer.headers.get('x-subject-token') ?? '';
    const user = ((await answer.json()) as { token: { user: { id: string } } }).token.user.id;
    const made = await this.#keystone(
      'POST',
      `/users/${user}/application_credentials`,
      { application_credential: { name: 'cell' } },
      { 'x-auth-token': token },
    );
    return ((await made.json()) as { application_credential: { id: string; secret: string } }).application_credential;
  }

  async close(): Promise<void> {
    for (const child of this.#children) {
      child.kill('SIGTERM');
      if (child.exitCode === null && child.signalCode === null)
        await new Promise((resolve) => child.once('exit', resolve));
    }
  }

  async #begin(url: string): Promise<void> {
    const bin = dirname(peer('openstack-services'));
    for (const name of ['fernet', 'images', 'staging', 'tasks'])
      await mkdir(join(this.dir, name), { recursive: true, mode: 0o700 });
    this.#ports.identity = await freePort();
    this.#ports.image = await freePort();
    const [keystone, glance] = [join(this.dir, 'keystone.conf'), join(this.dir, 'glance-api.conf')];
    const direct = `http://127.0.0.1:${String(this.#ports.identity)}/v3`;
    await writeFile(keystone, ini(keystoneConf(this.dir)));
    await writeFile(glance, ini(glanceConf({ dir: this.dir, bin, url, direct })));
    const manage = (args: string[]) => execa(join(bin, 'keystone-manage'), ['--config-file', keystone, ...args]);
    await Promise.all([
      manage(['db_sync'])
        .then(() => manage(['fernet_setup', '--keystone-user', 'root', '--keystone-group', 'root']))
        .then(() =>
          manage(['bootstrap', '--bootstrap-password', ADMIN, '--bootstrap-region-id', 'RegionOne', ...urls(url)]),
        ),
      execa(join(bin, 'glance-manage'), ['--config-file', glance, 'db_sync']),
    ]);
    const env = { ...process.env, OS_KEYSTONE_CONFIG_FILES: keystone, OS_GLANCE_CONFIG_DIR: this.dir };
    const script = join(import.meta.dirname, 'wsgi.py');
    for (const service of ['identity', 'image'] as const) {
      const module = { identity: 'keystone.wsgi.api', image: 'glance.wsgi.api' }[service];
      const args = [script, module, String(this.#ports[service])];
      this.#children.push(spawn(join(bin, 'python3'), args, { env, stdio: 'ignore' }));
    }
    await until(direct, 'Keystone');
    await until(`http://127.0.0.1:${String(this.#ports.image)}/`, 'Glance');
  }

  /** A project, our user in it, and the services in the catalogue. */
  async #furnish(url: string): Promise<void> {
    this.#admin = (await this.#logIn('admin', ADMIN, 'admin')).headers.get('x-subject-token') ?? '';
    const make = async <T>(kind: string, path: string, body: unknown): Promise<T> => {
      const answer = await this.#keystone('POST', path, { [kind]: body });
      if (!answer.ok) throw new Error(`Keystone ${path}: ${await answer.text()}`);
      return ((await answer.json()) as Record<string, T>)[kind] as T;
    };
    const project = await make<{ id: string }>('project', '/projects', { name: 'apps', domain_id: 'default' });
    const user = await make<{ id: string }>('user', '/users', {
      name: 'unik',
      domain_id: 'default',
      password: PASSWORD,
    });
    const answer = await this.#keystone('GET', '/roles?name=member');
    const [role] = ((await answer.json()) as { roles: { id: string }[] }).roles;
    await this.#keystone('PUT', `/projects/${project.id}/users/${user.id}/roles/${role?.id ?? ''}`);
    for (const [type, path] of [
      ['image', '/image'],
      ['compute', '/compute/v2.1'],
      ['network', '/network'],
    ] as const) {
      const { id } = await make<{ id: string }>('service', '/services', { type, name: type });
      const endpoint = { service_id: id, interface: 'public', region_id: 'RegionOne', url: `${url}${path}` };
      await make('endpoint', '/endpoints', endpoint);
    }
  }

  #logIn(name: string, password: string, project: string): Promise<Response> {
    const domain = { id: 'default' };
    const identity = { methods: ['password'], password: { user: { name, domain, password } } };
    return this.#keystone('POST', '/auth/tokens', {
      auth: { identity, scope: { project: { name: project, domain } } },
    });
  }

  #keystone(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(`http://127.0.0.1:${String(this.#ports.identity)}/v3${path}`, {
      method,
      headers: {
        'content-type': 'application/json',
        ...(this.#admin === '' ? {} : { 'x-auth-token': this.#admin }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }
}

const urls = (url: string): string[] =>
  ['admin', 'public', 'internal'].flatMap((side) => [`--bootstrap-${side}-url`, `${url}/identity/v3`]);

type Ini = Record<string, Record<string, string | number>>;

function keystoneConf(dir: string): Ini {
  return {
    DEFAULT: { log_file: join(dir, 'keystone.log') },
    database: { connection: `sqlite:///${join(dir, 'keystone.db')}` },
    fernet_tokens: { key_repository: join(dir, 'fernet') },
    credential: { key_repository: join(dir, 'fernet') },
    token: { provider: 'fernet' },
    cache: { enabled: 'false' },
  };
}

function glanceConf(of: { dir: string; bin: string; url: string; direct: string }): Ini {
  const at = (name: string): string => join(of.dir, name);
  return {
    DEFAULT: {
      ...{ log_file: at('glance.log'), enabled_backends: 'files:file', public_endpoint: `${of.url}/image` },
    },
    database: { connection: `sqlite:///${at('glance.db')}` },
    glance_store: { default_backend: 'files' },
    files: { filesystem_store_datadir: at('images') },
    os_glance_staging_store: { filesystem_store_datadir: at('staging') },
    os_glance_tasks_store: { filesystem_store_datadir: at('tasks') },
    keystone_authtoken: {
      ...{ www_authenticate_uri: `${of.url}/identity/v3`, auth_url: of.direct, auth_type: 'password' },
      ...{ project_domain_id: 'default', user_domain_id: 'default', project_name: 'admin' },
      ...{ username: 'admin', password: ADMIN },
    },
    paste_deploy: { flavor: 'keystone', config_file: join(of.bin, '../etc/glance/glance-api-paste.ini') },
    oslo_concurrency: { lock_path: at('lock') },
  };
}

function ini(sections: Ini): string {
  return Object.entries(sections)
    .map(
      ([name, rows]) =>
        `[${name}]\n${Object.entries(rows)
          .map(([key, value]) => `${key} = ${String(value)}\n`)
          .join('')}`,
    )
    .join('\n');
}

async function until(url: string, what: string): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    if (await fetch(url).catch(() => undefined)) return;
    await delay(100);
  }
  throw new Error(`${what} did not begin`);
}
