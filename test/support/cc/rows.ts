/** Rows of a Cloud Controller, as tests need them. */
import {
  noMetadata,
  type App,
  type Base,
  type Droplet,
  type Org,
  type Process,
  type Space,
  type Stack,
} from '../../../localcf/cc/model.js';
import { freshProcess } from '../../../localcf/cc/actions/defaults.js';
import type { CcConfig } from '../../../localcf/cc/cc.js';
import type { ProcessFacts } from '../../../localcf/cc/recipes/facts.js';

export const GUIDS = {
  app: '11111111-1111-4111-8111-111111111111',
  version: '22222222-2222-4222-8222-222222222222',
  droplet: '33333333-3333-4333-8333-333333333333',
};
let seq = 0;
export const base = (guid: string): Base => ({
  ...{ guid, seq: ++seq, created_at: '2026-11-30T12:00:00Z', updated_at: '2026-11-30T12:00:00Z' },
});

export const CONFIG: CcConfig = {
  ...{
    api_url: 'http://api.test',
    apps_domain: 'apps.test',
    router_port: 80,
    uaa_url: '',
    log_cache_url: '',
    log_stream_url: null,
    ssh: null,
  },
  defaults: {
    ...{ memory_mb: 128, disk_mb: 512, log_rate_limit: 1_048_576, health_check_timeout_s: 60 },
    ...{ max_health_check_timeout_s: 180, staging_memory_mb: 1024, staging_disk_mb: 2048 },
  },
  limits: { package_bytes: 1e6, buildpack_bytes: 1e6, droplet_bytes: 1e6 },
};

export const org: Org = {
  ...base('org-1'),
  ...{ name: 'acme', suspended: false, quota_guid: 'q', isolation_segment_guid: null, metadata: noMetadata() },
};
export const space: Space = {
  ...base('space-1'),
  ...{
    name: 'dev',
    org_guid: 'org-1',
    quota_guid: null,
    isolation_segment_guid: null,
    allow_ssh: true,
    metadata: noMetadata(),
  },
};
export const stack: Stack = {
  ...base('stack-1'),
  ...{
    name: 'unik',
    description: null,
    is_default: false,
    build_rootfs: 'unik-build',
    run_rootfs: 'unik',
    state: 'ACTIVE',
  },
  ...{ state_reason: null, metadata: noMetadata() },
};

export const anApp = (part: Partial<App> = {}): App => ({
  ...base(GUIDS.app),
  ...{ name: 'shop', space_guid: space.guid, state: 'STARTED', environment: { COLOUR: 'green' } },
  lifecycle: { type: 'buildpack', data: { buildpacks: [], stack: 'unik' } },
  ...{ droplet_guid: GUIDS.droplet, revision_guid: null, metadata: noMetadata() },
  features: { ssh: true, revisions: true, 'service-binding-k8s': false, 'file-based-vcap-services': false },
  ...part,
});

export const aProcess = (part: Partial<Process> = {}): Process => ({
  ...base(GUIDS.app),
  ...freshProcess(CONFIG, GUIDS.app, 'web'),
  guid: GUIDS.app,
  version: GUIDS.version,
  ...part,
});

export const aDroplet = (part: Partial<Droplet> = {}): Droplet => ({
  ...base(GUIDS.droplet),
  ...{
    app_guid: GUIDS.app,
    package_guid: null,
    build_guid: null,
    state: 'STAGED',
    error: null,
    stack: 'unik',
    image: null,
  },
  lifecycle: { type: 'buildpack', data: { buildpacks: [], stack: 'unik' } },
  ...{ execution_metadata: '', process_types: { web: './server --listen' }, sidecars: [], buildpacks: [] },
  ...{ sha256: 'a'.repeat(64), bytes: 10, metadata: noMetadata() },
  ...part,
});

export const mapping = (
  name: string,
  part: Partial<ProcessFacts['mappings'][number]> = {},
): ProcessFacts['mappings'][number] => {
  const [host = '', ...rest] = name.split('.');
  const domain = rest.join('.');
  return {
    route: {
      ...base(`route-${name}`),
      ...{
        space_guid: space.guid,
        domain_guid: domain,
        host,
        path: '',
        port: null,
        options: {},
        metadata: noMetadata(),
      },
    },
    domain: {
      ...base(domain),
      ...{
        name: domain,
        internal: false,
        router_group: null,
        org_guid: null,
        shared_org_guids: [],
        metadata: noMetadata(),
      },
    },
    destination: {
      ...base(`destination-${name}`),
      ...{
        route_guid: `route-${name}`,
        app_guid: GUIDS.app,
        process_type: 'web',
        port: null,
        weight: null,
        protocol: 'http1',
      },
    },
    ...part,
  };
};

export const processFacts = (part: Partial<ProcessFacts> = {}): ProcessFacts => ({
  ...{ org, space, stack, app: anApp(), process: aProcess(), droplet: aDroplet() },
  ...{ mappings: [mapping('shop.apps.test')], bound: [], security_groups: [], group: { TZ: 'UTC' }, sidecars: [] },
  isolation_segment: null,
  ...part,
});
