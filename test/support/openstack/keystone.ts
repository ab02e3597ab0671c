import { randomBytes } from 'node:crypto';
import { jsonOf, unauthorized, type Call, type Identity, type Reply, type Who } from './wire.js';

export const PASSWORD = 'planted-openstack-password-of-a-test-0815';
export const APP_SECRET = 'planted-openstack-application-secret-4711';
export const PROJECT = '3f2504e04f8941d39a0c0305e82c3301';
const USER = '9b2f1c1d6e7a4d56b1b1b6c1c2d3e4f5';
export const APP_ID = 'c0ffee00c0ffee00c0ffee00c0ffee00';

/** Keystone's v3, as far as a client logs in. https://docs.openstack.org/api-ref/identity/v3/ */
export class KeystoneDouble implements Identity {
  readonly #tokens = new Map<string, { who: Who; until: number }>();
  token_ms = 3_600_000;
  roles = ['member', 'reader'];
  /** How often somebody logged in. */
  logins = 0;

  /** `base`: where all services are. */
  constructor(private readonly base: () => string) {}

  /** All tokens that were given out end here. */
  revoke(): void {
    this.#tokens.clear();
  }

  check(token: string): Promise<Who | undefined> {
    const found = this.#tokens.get(token);
    return Promise.resolve(found && found.until > Date.now() ? found.who : undefined);
  }

  async handle(call: Call): Promise<Reply> {
    const where = `${this.base()}/identity/v3`;
    const version = {
      ...{ id: 'v3.14', status: 'stable', updated: '2020-04-07T00:00:00Z' },
      'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.identity-v3+json' }],
      links: [{ rel: 'self', href: `${where}/` }],
    };
    if (call.path === '/' || call.path === '') return { status: 300, body: { versions: { values: [version] } } };
    if (/^\/v3\/?$/.test(call.path)) return { status: 200, body: { version } };
    if (call.path !== '/v3/auth/tokens') return notFound();
    if (call.method === 'POST') return this.#logIn(call);
    if (call.method !== 'GET') return notFound();
    const asked = String(call.headers['x-subject-token']);
    if (!(await this.check(String(call.headers['x-auth-token'])))) return unauthorized(where);
    const found = this.#tokens.get(asked);
    return found ? { status: 200, body: { token: this.#facts(found.until) } } : notFound();
  }

  #logIn(call: Call): Reply {
    if (!isKnown(jsonOf(call))) return unauthorized(`${this.base()}/identity/v3`);
    this.logins++;
    const token = `gAAAAA${randomBytes(90).toString('base64url')}`;
    const until = Date.now() + this.token_ms;
    this.#tokens.set(token, { who: { project: PROJECT, user: USER, roles: this.roles }, until });
    return { status: 201, headers: { 'x-subject-token': token }, body: { token: this.#facts(until) } };
  }

  #facts(until: number): unknown {
    const endpoint = (url: string) =>
      ['public', 'internal', 'admin'].map((side) => ({
        ...{
          id: `${url}-${side}`,
          interface: side,
          region: 'RegionOne',
          region_id: 'RegionOne',
          url: `${this.base()}${url}`,
        },
      }));
    return {
      ...{ methods: ['password'], audit_ids: ['x'], is_domain: false },
      issued_at: new Date().toISOString(),
      expires_at: new Date(until).toISOString().replace('Z', '000Z'),
      user: { id: USER, name: 'unik', domain: { id: 'default', name: 'Default' }, password_expires_at: null },
      project: { id: PROJECT, name: 'apps', domain: { id: 'default', name: 'Default' } },
      roles: this.roles.map((name) => ({ id: name, name })),
      catalog: [
        { type: 'identity', name: 'keystone', id: 'k', endpoints: endpoint('/identity') },
        { type: 'image', name: 'glance', id: 'g', endpoints: endpoint('/image') },
        { type: 'compute', name: 'nova', id: 'n', endpoints: endpoint('/compute/v2.1') },
        { type: 'network', name: 'neutron', id: 'q', endpoints: endpoint('/network') },
      ],
    };
  }
}

function isKnown(body: Record<string, unknown>): boolean {
  const auth = (body as { auth?: Auth }).auth;
  const { methods = [], password, application_credential: app } = auth?.identity ?? {};
  if (methods.includes('application_credential')) {
    return app?.id === APP_ID && app.secret === APP_SECRET && auth?.scope === undefined;
  }
  const { name, id, password: secret } = password?.user ?? {};
  const project = auth?.scope?.project;
  const rightProject = project?.name === 'apps' || project?.id === PROJECT;
  return methods.includes('password') && (name === 'unik' || id === USER) && secret === PASSWORD && rightProject;
}

interface Auth {
  identity?: {
    methods?: string[];
    password?: { user?: { name?: string; id?: string; password?: string } };
    application_credential?: { id?: string; secret?: string };
  };
  scope?: { project?: { name?: string; id?: string } };
}

const notFound = (): Reply => ({
  status: 404,
  body: { error: { code: 404, title: 'Not Found', message: 'The resource could not be found.' } },
});
