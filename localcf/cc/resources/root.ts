/** The documents that `cf api` and `cf login` begin with. */
import type { Cc } from '../cc.js';
import { get, type Route } from '../http.js';

/** As far as this API goes; the CLI compares it. Source: facts on `cf`, 2. */
export const API_VERSION = '3.180.0';

export function rootRoutes({ config }: Cc): Route[] {
  const { api_url, uaa_url, log_cache_url, log_stream_url, ssh } = config;
  const href = (url: string): { href: string } => ({ href: url });

  const root = (): object => ({
    links: {
      self: href(api_url),
      cloud_controller_v2: null,
      cloud_controller_v3: { ...href(`${api_url}/v3`), meta: { version: API_VERSION } },
      network_policy_v0: null,
      network_policy_v1: null,
      login: href(uaa_url),
      uaa: href(uaa_url),
      credhub: null,
      routing: null,
      logging: null,
      log_cache: href(log_cache_url),
      log_stream: log_stream_url === null ? null : href(log_stream_url),
      app_ssh: ssh && {
        ...href(ssh.address),
        meta: { host_key_fingerprint: ssh.fingerprint, oauth_client: 'ssh-proxy' },
      },
    },
  });
  const v3 = (): object => {
    const names = [
      'organizations',
      'spaces',
      'roles',
      'users',
      'stacks',
      'buildpacks',
      'apps',
      'processes',
      'packages',
    ];
    const more = ['builds', 'droplets', 'routes', 'domains', 'tasks', 'deployments', 'revisions', 'isolation_segments'];
    const rest = ['service_instances', 'service_credential_bindings', 'feature_flags', 'security_groups', 'jobs'];
    const all = [...names, ...more, ...rest, 'audit_events', 'app_usage_events', 'organization_quotas', 'space_quotas'];
    return {
      links: {
        self: href(`${api_url}/v3`),
        ...Object.fromEntries(all.map((name) => [name, href(`${api_url}/v3/${name}`)])),
      },
    };
  };
  const info = (): object => ({
    build: '',
    cli_version: { minimum: '', recommended: '' },
    custom: {},
    description: 'Cloud Foundry on one machine, with unikernels',
    name: 'unik',
    version: 0,
    osbapi_version: '2.15',
    rate_limits: { enabled: false, general_limit: 0, reset_interval_in_minutes: 0 },
    links: { self: href(`${api_url}/v3/info`), support: href('') },
  });

  return [get('/', root, { open: true }), get('/v3', v3, { open: true }), get('/v3/info', info, { open: true })];
}
