/** Every template of the release over a table of properties, and what is rendered over the schemas of what reads it. */
import { describe, expect, test } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { cellSchema, parseCellConfig } from '../../../backend/cell/config.js';
import { filesSchema } from '../../../backend/files/main.js';
import { stagerSchema } from '../../../backend/stager/config.js';
import {
  AGENT,
  AWS,
  CELLS,
  EMITTER,
  NATS,
  OTHERS,
  REFUSED_BY_CELL,
  REFUSED_BY_TEMPLATE,
  required,
  tableJobs,
} from '../../support/bosh/table.js';
import { jobSpec, nested, release, render } from '../../support/bosh/templates.js';

const JOBS = readdirSync(join(release, 'jobs'));
/** What is asked for only when another property says so, and what has its default from elsewhere, as described. */
const ABSENT = [
  ...['diego.rep.zone', 'loggregator.ca_cert', 'loggregator.cert', 'loggregator.key', 'unik.provider_credentials'],
  ...['unik.routes.nats.cert', 'unik.routes.nats.key', 'unik.staging', 'unik.compose_base'],
  ...['unik.stager.callback_url', 'unik.smoke_tests.router_port'],
];

function files(job: string, flat: Record<string, unknown> = {}): Record<string, string> {
  const result = render(job, nested({ ...required(job), ...flat }));
  if ('error' in result) throw new Error(result.error);
  return result.files;
}

const cell = (flat: Record<string, unknown> = {}): Record<string, unknown> =>
  JSON.parse(files('unik-cell', flat)['config/cell.json'] ?? '') as Record<string, unknown>;

test('the table knows every job', () => {
  expect(tableJobs()).toEqual([...JOBS].sort());
});

describe.each(JOBS)('%s', (job) => {
  const spec = jobSpec(job);

  test('every property has a description and an example, and a default unless it is required or its absence is told', () => {
    for (const [name, { description = '', example, ...about }] of Object.entries(spec.properties)) {
      const fault = [
        ...(description.trim().length > 3 ? [] : ['description']),
        ...(example === undefined ? ['example'] : []),
        ...('default' in about || name in required(job) || ABSENT.includes(name) ? [] : ['default']),
      ];
      expect({ name, fault }).toEqual({ name, fault: [] });
      // One that says nothing new is none.
      expect({ name, example }).not.toEqual({ name, example: about.default });
    }
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
      expect(render(job, nested(rest))).toEqual({ error: `Can't find property '${name}'` });
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
  test.each(CELLS)('%s', (_, properties, holds) => {
    const config = cell(properties);
    expect(config).toMatchObject(holds);
    expect(() => parseCellConfig(config, 'cell.json')).not.toThrow();
  });

  test('logs go to the agent of the VM, by its certificates', () => {
    const made = files('unik-cell', AGENT);
    const config = parseCellConfig(JSON.parse(made['config/cell.json'] ?? ''), 'cell.json');
    expect(config.loggregator).toMatchObject({ address: '127.0.0.1:3458', server_name: 'metron' });
    expect(made['config/certs/loggregator.key']).toBe('KEY\n');
  });

  test('the builtin emitter: NATS by its link, its password in a file of its own', () => {
    const result = render('unik-cell', nested({ ...required('unik-cell'), ...EMITTER }), {}, NATS);
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
    expect(render('unik-cell', nested({ ...required('unik-cell'), ...EMITTER }))).toEqual({
      error: "Can't find link 'nats-tls'",
    });
  });

  test('a provider is told its options, its credentials are a file', () => {
    const made = files('unik-cell', AWS);
    const text = made['config/cell.json'] ?? '';
    expect(text).not.toContain('planted-secret');
    expect(parseCellConfig(JSON.parse(text), 'cell.json').provider).toBe('aws');
    expect(JSON.parse(made['config/provider_credentials.json'] ?? '')).toEqual(AWS['unik.provider_credentials']);
  });

  test.each(REFUSED_BY_TEMPLATE)('%j is refused by the template', (properties, why) => {
    const result = render('unik-cell', nested({ ...required('unik-cell'), ...properties }));
    expect(result).toEqual({ error: expect.stringMatching(why) as unknown });
  });

  test.each(REFUSED_BY_CELL)('%j is refused by the cell', (properties, why) => {
    expect(() => parseCellConfig(cell(properties), 'cell.json')).toThrow(why);
  });

  test('every key of the cell is rendered, or is one that a VM of BOSH has no use for', () => {
    const unused = ['retry_interval'];
    const everything = cell({
      ...AGENT,
      ...{ 'unik.staging': {}, 'unik.compose_base': '/x' },
      ...{ 'unik.provider': 'aws', 'unik.provider_options': { region: 'r' } },
    });
    const known = Object.keys(cellSchema.shape);
    expect(Object.keys(everything).filter((key) => !known.includes(key))).toEqual([]);
    expect(known.filter((key) => !(key in everything) && !unused.includes(key))).toEqual([]);
  });
});

test.each(OTHERS)('%s renders with %j', (job, properties) => {
  expect(Object.keys(files(job, properties)).sort()).toEqual(Object.values(jobSpec(job).templates).sort());
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

test('the blobs that are noted were made by the recipe of today', async () => {
  const { recipe } = (await import(join(release, 'scripts/recipe.mjs'))) as { recipe: () => string };
  const noted = (name: string): unknown => parse(readFileSync(join(release, 'config', name), 'utf8'));
  const { recipe: before, blobs } = noted('sources.yml') as { recipe: string; blobs: Record<string, string[]> };
  // Run bosh-release/scripts/add-blobs and commit config/.
  expect(before).toBe(recipe());
  expect(Object.keys(blobs).sort()).toEqual(Object.keys(noted('blobs.yml') as object).sort());
  for (const [blob, parts] of Object.entries(blobs)) expect(`${blob}: ${parts.length > 0}`).toBe(`${blob}: true`);
});
