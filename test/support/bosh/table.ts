/** Property sets that the release's templates are rendered for, and what comes of each; properties are dotted names. */

export type Properties = Record<string, unknown>;

const PEM = '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n';

/** What has no default, for each job. */
const REQUIRED: Record<string, Properties> = {
  'unik-cell': { 'tls.ca_cert': PEM, 'tls.cert': PEM, 'tls.key': PEM },
  'unik-stager': {
    'unik.stager.bbs.ca_cert': PEM,
    'unik.stager.bbs.client_cert': PEM,
    'unik.stager.bbs.client_key': PEM,
    'unik.stager.cloud_controller.password': 'p"ass\nword',
    'unik.stager.cloud_controller.ca_cert': PEM,
  },
  'unik-lifecycle': { 'tls.cert': PEM, 'tls.key': PEM },
  'unik-cf-plugin': { 'tls.cert': PEM, 'tls.key': PEM },
  'unik-buildpack': {},
  'smoke-tests': {
    'unik.smoke_tests.api': 'https://api.example.com',
    'unik.smoke_tests.username': 'admin',
    'unik.smoke_tests.password': "it's $(secret)",
  },
};
export const required = (job: string): Properties => REQUIRED[job] ?? {};
export const tableJobs = (): string[] => Object.keys(REQUIRED).sort();

export const AGENT: Properties = {
  'loggregator.use_v2_api': true,
  'loggregator.ca_cert': 'CA',
  'loggregator.cert': 'CERT',
  'loggregator.key': 'KEY',
};
export const EMITTER: Properties = {
  'unik.routes.emitter': 'builtin',
  'unik.routes.nats.cert': 'C',
  'unik.routes.nats.key': 'K',
};
export const NATS = {
  'nats-tls': {
    address: 'nats.service.cf.internal',
    properties: {
      nats: {
        ...{ hostname: 'nats.service.cf.internal', port: 4224, user: 'nats', password: 'secret-of-nats' },
        external: { tls: { ca: 'NATS CA' } },
      },
    },
  },
};
export const AWS: Properties = {
  'unik.provider': 'aws',
  'unik.stacks': ['unik-aws'],
  // bosh hands maps on sorted by their keys, and files are compared byte for byte.
  'unik.provider_options': { region: 'r', security_group_ids: ['g'], subnet_id: 's' },
  'unik.provider_credentials': { access_key_id: 'AK', secret_access_key: 'planted-secret' },
};

/** Sets of `unik-cell` over what it requires, and what its configuration then holds. */
export const CELLS: [what: string, properties: Properties, holds: Properties][] = [
  ['what has a default', {}, { stacks: ['unik'], provider: 'qemu', zone: 'z1', memory_mb: 'auto' }],
  ['name of the cell', {}, { cell_id: 'a1_b2', rep_url: 'https://a1-b2.cell.service.cf.internal:1801' }],
  [
    'its address in place of the name',
    {
      'diego.rep.advertise_preference_for_instance_address': true,
      'diego.rep.listen_addr_securable': '0.0.0.0:1901',
    },
    { rep_url: 'https://10.0.16.20:1901', external_address: '10.0.16.20' },
  ],
  ['zone', { 'diego.rep.zone': 'west' }, { zone: 'west' }],
  [
    'capacity',
    { 'diego.executor.memory_capacity_mb': 4096, 'diego.rep.max_containers': 7 },
    { memory_mb: 4096, containers: 7 },
  ],
  [
    'segments',
    { 'diego.rep.placement_tags': ['s'], 'diego.rep.optional_placement_tags': ['o'] },
    { placement_tags: ['s'], optional_placement_tags: ['o'] },
  ],
  ['staging with nothing said', { 'unik.staging': {} }, { staging: {} }],
  ['staging', { 'unik.staging': { network: 'off', cache_mb: 10 } }, { staging: { network: 'off', cache_mb: 10 } }],
  [
    'a base for images',
    { 'unik.compose_at_start': true, 'unik.compose_base': '/x' },
    { compose_at_start: true, compose_base: '/x' },
  ],
  ['an agent for logs', AGENT, { loggregator: { address: '127.0.0.1:3458' } }],
  ['a provider elsewhere', AWS, { provider: 'aws' }],
];

/** Sets of `unik-cell` that its template refuses. */
export const REFUSED_BY_TEMPLATE: [Properties, RegExp][] = [
  [{ 'unik.stacks': [] }, /unik\.stacks must be a list of stacks/],
  [{ 'unik.stacks': ['unik', ' '] }, /unik\.stacks must be a list of stacks/],
  [{ 'unik.stacks': 'unik' }, /unik\.stacks must be a list of stacks/],
  [{ 'diego.rep.locket.client_keepalive_time': 30 }, /client_keepalive_time must not be more than/],
  [{ 'diego.rep.polling_interval_in_seconds': 0 }, /polling_interval_in_seconds must be a number of seconds above 0/],
  [{ 'diego.rep.evacuation_timeout_in_seconds': '10m' }, /evacuation_timeout_in_seconds must be a number/],
  [{ 'loggregator.use_v2_api': true }, /Can't find property 'loggregator\.ca_cert'/],
];

/** Sets that render, and that the cell's schema refuses. */
export const REFUSED_BY_CELL: [Properties, RegExp][] = [
  [{ 'unik.provider': 'moon' }, /provider/],
  [{ 'unik.network.mode': 'wire' }, /network\.mode/],
  [{ 'unik.network.deny': ['everything'] }, /network\.deny/],
  [{ 'unik.staging': { netwrok: 'off' } }, /staging.*netwrok/],
  [{ 'diego.rep.bbs.request_timeout': 'soon' }, /bbs\.timeout/],
];

/** Sets of the other jobs: all that a template tells apart. */
export const OTHERS: [job: string, properties: Properties][] = [
  ['unik-stager', { 'unik.stager.callback_url': 'http://stager:1', 'unik.stager.listen_addr': '0.0.0.0:1' }],
  ['unik-stager', { 'unik.stager.lifecycles': { unik: 'a.tgz', 'unik-aws': 'https://b/c.tgz' } }],
  ['unik-lifecycle', { 'unik.files.listen_addr': '0.0.0.0:1' }],
  ['unik-cf-plugin', { 'unik.log_level': 'debug' }],
  [
    'smoke-tests',
    {
      'unik.smoke_tests.skip_ssl_validation': true,
      'unik.smoke_tests.client_credentials': true,
      'unik.smoke_tests.router_port': 8080,
      'unik.smoke_tests.org': 'a "b" c',
    },
  ],
];
