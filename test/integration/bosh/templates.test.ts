/** Every template of the release over a table of properties, and what is rendered over the schemas of what reads it. */
import { describe, expect, test } from '@jest/globals';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { cellSchema, parseCellConfig } from '../../../backend/cell/config.js';
import { filesSchema } from '../../../backend/files/main.js';
import { stagerSchema } from '../../../backend/stager/config.js';
import { jobSpec, nested, release, render } from '../../support/bosh/templates.js';

const JOBS = readdirSync(join(release, 'jobs'));
const PEM = '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n';

/** What has no default, for each job. */
const REQUIRED: Record<string, Record<string, unknown>> = {
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
const required = (job: string): Record<string, unknown> => REQUIRED[job] ?? {};

function files(job: string, flat: Record<string, unknown> = {}): Record<string, string> {
  const result = render(job, nested({ ...required(job), ...flat }));
  if ('error' in result) throw new Error(result.error);
  return result.files;
}

const cell = (flat: Record<string, unknown> = {}): Record<string, unknown> =>
  JSON.parse(files('unik-cell', flat)['config/cell.json'] ?? '') as Record<string, unknown>;

test('the table knows every job', () => {
  expect(Object.keys(REQUIRED).sort()).toEqual([...JOBS].sort());
});

describe.each(JOBS)('%s', (job) => {
  const spec = jobSpec(job);

  test('every property is described, and has a default or an example', () => {
    const silent = Object.entries(spec.properties)
      .filter(([, { description, default: value, example }]) => !description || (value ?? example) === undefined)
      .map(([name]) => name);
    expect(silent).toEqual([]);
  });

  test('every template is in its spec, and the other way round', () => {
    const folder = join(release, 'jobs', job, 'templates');
    const found = Object.keys(spec.templates).length
      ? readdirSync(folder, { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
      : [];
    expect(Object.keys(spec.templates).sort()).toEqual(found.sort());
  });

  test('renders with what it requires, and its scripts are shell scripts', () => {
    for (const [target, text] of Object.entries(files(job)))
      if (target.startsWith('bin/') && target !== 'bin/env') expect(text).toMatch(/^#!\/bin\/bash\n/);
  });

  const names = Object.keys(required(job));
  if (names.length > 0)
    test.each(names)('without %s it fails with that name', (name) => {
      const rest = Object.fromEntries(Object.entries(required(job)).filter(([key]) => key !== name));
      expect(render(job, nested(rest))).toEqual({ error: `can't find property '${name}'` });
    });

  test('packages that its scripts name are those that its spec names', () => {
    const named = Object.values(files(job)).flatMap((text) => [
      ...text.matchAll(/(?:\/var\/vcap\/packages|\$PACKAGES)\/(unik[a-z-]*)/g),
    ]);
    const missing = named.map(([, name = '']) => name).filter((name) => !spec.packages.includes(name));
    expect(missing).toEqual([]);
  });
});

describe('config/cell.json', () => {
  test.each<[what: string, properties: Record<string, unknown>, holds: Record<string, unknown>]>([
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
  ])('%s', (_, properties, holds) => {
    const config = cell(properties);
    expect(config).toMatchObject(holds);
    expect(() => parseCellConfig(config, 'cell.json')).not.toThrow();
  });

  test('logs go to the agent of the VM, by its certificates', () => {
    const agent = {
      'loggregator.use_v2_api': true,
      'loggregator.ca_cert': 'CA',
      'loggregator.cert': 'CERT',
      'loggregator.key': 'KEY',
    };
    const made = files('unik-cell', agent);
    const config = parseCellConfig(JSON.parse(made['config/cell.json'] ?? ''), 'cell.json');
    expect(config.loggregator).toMatchObject({ address: '127.0.0.1:3458', server_name: 'metron' });
    expect(made['config/certs/loggregator.key']).toBe('KEY\n');
    expect(render('unik-cell', nested({ ...required('unik-cell'), 'loggregator.use_v2_api': true }))).toEqual({
      error: "can't find property 'loggregator.ca_cert'",
    });
  });

  const NATS = {
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
  test('the builtin emitter: NATS by its link, its password in a file of its own', () => {
    const own = { 'unik.routes.emitter': 'builtin', 'unik.routes.nats.cert': 'C', 'unik.routes.nats.key': 'K' };
    const result = render('unik-cell', nested({ ...required('unik-cell'), ...own }), {}, NATS);
    if ('error' in result) throw new Error(result.error);
    const text = result.files['config/cell.json'] ?? '';
    const { routes } = parseCellConfig(JSON.parse(text), 'cell.json');
    expect(routes).toMatchObject({
      emitter: 'builtin',
      nats: { servers: [{ host: 'nats.service.cf.internal', port: 4224 }], user: 'nats', tls: 'on' },
    });
    expect(text).not.toContain('secret-of-nats');
    expect(result.files['config/nats_password']).toBe('secret-of-nats\n');
    expect(result.files['config/certs/nats-ca.crt']).toBe('NATS CA\n');
    expect(render('unik-cell', nested({ ...required('unik-cell'), ...own }))).toEqual({
      error: "can't find link 'nats-tls'",
    });
  });

  test('a provider is told its options, its credentials are a file', () => {
    const aws = {
      'unik.provider': 'aws',
      'unik.stacks': ['unik-aws'],
      'unik.provider_options': { region: 'r', subnet_id: 's', security_group_ids: ['g'] },
      'unik.provider_credentials': { access_key_id: 'AK', secret_access_key: 'planted-secret' },
    };
    const made = files('unik-cell', aws);
    const text = made['config/cell.json'] ?? '';
    expect(text).not.toContain('planted-secret');
    expect(parseCellConfig(JSON.parse(text), 'cell.json').provider).toBe('aws');
    expect(JSON.parse(made['config/provider_credentials.json'] ?? '')).toEqual(aws['unik.provider_credentials']);
  });

  test.each<[Record<string, unknown>, RegExp]>([
    [{ 'unik.stacks': [] }, /unik\.stacks must be a list of stacks/],
    [{ 'unik.stacks': ['unik', ' '] }, /unik\.stacks must be a list of stacks/],
    [{ 'unik.stacks': 'unik' }, /unik\.stacks must be a list of stacks/],
    [{ 'diego.rep.locket.client_keepalive_time': 30 }, /client_keepalive_time must not be more than/],
    [{ 'diego.rep.polling_interval_in_seconds': 0 }, /polling_interval_in_seconds must be a number of seconds above 0/],
    [{ 'diego.rep.evacuation_timeout_in_seconds': '10m' }, /evacuation_timeout_in_seconds must be a number/],
  ])('%j is refused by the template', (properties, why) => {
    const result = render('unik-cell', nested({ ...required('unik-cell'), ...properties }));
    expect(result).toEqual({ error: expect.stringMatching(why) as unknown });
  });

  test.each<[Record<string, unknown>, RegExp]>([
    [{ 'unik.provider': 'moon' }, /provider/],
    [{ 'unik.network.mode': 'wire' }, /network\.mode/],
    [{ 'unik.network.deny': ['everything'] }, /network\.deny/],
    [{ 'unik.staging': { netwrok: 'off' } }, /staging.*netwrok/],
    [{ 'diego.rep.bbs.request_timeout': 'soon' }, /bbs\.timeout/],
  ])('%j is refused by the cell', (properties, why) => {
    expect(() => parseCellConfig(cell(properties), 'cell.json')).toThrow(why);
  });

  test('every key of the cell is rendered, or is one that a VM of BOSH has no use for', () => {
    const unused = ['retry_interval'];
    const everything = cell({
      ...{
        'loggregator.use_v2_api': true,
        'loggregator.ca_cert': 'CA',
        'loggregator.cert': 'C',
        'loggregator.key': 'K',
      },
      ...{ 'unik.staging': {}, 'unik.compose_base': '/x' },
      ...{ 'unik.provider': 'aws', 'unik.provider_options': { region: 'r' } },
    });
    const known = Object.keys(cellSchema.shape);
    expect(Object.keys(everything).filter((key) => !known.includes(key))).toEqual([]);
    expect(known.filter((key) => !(key in everything) && !unused.includes(key))).toEqual([]);
  });
});

test('the stager and the file servers get what their schemas ask for', () => {
  const read = (job: string, file: string): unknown => JSON.parse(files(job)[file] ?? '');
  expect(stagerSchema.parse(read('unik-stager', 'config/unik-stager.json'))).toMatchObject({
    callback_url: 'http://10.0.16.20:8888',
  });
  for (const job of ['unik-lifecycle', 'unik-cf-plugin'])
    expect(filesSchema.parse(read(job, `config/${job}.json`)).folder).toBe(`/var/vcap/packages/${job}`);
  expect(files('unik-stager')['config/cc_password']).toBe('p"ass\nword\n');
});

test('the operations files are those that npm run ops-files makes', async () => {
  const made = (await import(join(release, '../scripts/ops-files.mjs'))) as { outOfDate(): string[] };
  expect(made.outOfDate()).toEqual([]);
});

test('bpm starts what the package holds', () => {
  for (const job of ['unik-stager', 'unik-lifecycle', 'unik-cf-plugin']) {
    const { processes } = parse(files(job)['config/bpm.yml'] ?? '') as {
      processes: { name: string; args: string[] }[];
    };
    expect(processes.map(({ name }) => name)).toEqual([job]);
    expect(processes[0]?.args.slice(0, 2)).toEqual([
      '/var/vcap/packages/unik/bin/unik',
      job === 'unik-stager' ? 'stager' : 'files',
    ]);
  }
});
