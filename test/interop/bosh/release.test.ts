/** The release as the real `bosh` makes it, and the operations files as it applies them. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parse } from 'yaml';
import { parseCellConfig } from '../../../backend/cell/config.js';
import { createEnv } from '../../support/bosh/create-env.js';
import { bosh, makeHome } from '../../support/bosh/bosh.js';
import { AGENT, AWS, NATS, required, tableJobs, type Properties } from '../../support/bosh/table.js';
import { jobSpec, nested, release, render } from '../../support/bosh/templates.js';
import { fillRelease } from '../../support/bosh/vm.js';
import { describePeer } from '../../support/peers.js';
import { root } from '../../support/unik.js';

const OPS = join(root, 'manifests/operations');
const FIRST = 'add-unik-cell.yml';
/** For cells of a deployment of their own; it adds none. */
const STACK = 'add-unik-stack.yml';
const NOTES = ['.dev_builds', 'dev_releases'].map((name) => join(release, name));
/** What an operator fills in. */
const VARIABLES: Record<string, string> = {
  system_domain: 'sys.example.com',
  unik_platform_networks: '[10.0.0.0/16]',
  unik_vsphere_url: 'https://vcenter.example.com',
  unik_vsphere_addresses:
    '{ subnet: 10.1.0.0/24, first: 10.1.0.10, last: 10.1.0.99, gateway: 10.1.0.1, dns: [10.0.0.2] }',
  unik_openstack_auth_url: 'https://keystone.example.com:5000/v3',
};

interface Manifest {
  releases: { name: string }[];
  instance_groups: {
    name: string;
    jobs: { name: string; release: string; properties?: object; consumes?: object }[];
  }[];
}

describePeer('the release', ['bosh'], () => {
  let home: string;
  beforeAll(() => {
    fillRelease();
    home = makeHome();
    // Its notes of earlier builds name blobs of another cache.
    for (const notes of NOTES) if (existsSync(notes)) renameSync(notes, `${notes}.kept`);
  }, 600_000);
  afterAll(() => {
    rmSync(home, { recursive: true, force: true });
    for (const notes of NOTES) {
      rmSync(notes, { recursive: true, force: true });
      if (existsSync(`${notes}.kept`)) renameSync(`${notes}.kept`, notes);
    }
  });

  test('is made without a network, and holds all jobs and packages', () => {
    const file = join(home, 'unik.tgz');
    const made = bosh(home, ['create-release', '--force', `--dir=${release}`, `--tarball=${file}`]);
    expect({ code: made.code, stderr: made.code ? made.stderr : '' }).toEqual({ code: 0, stderr: '' });
    const listed = execFileSync('tar', ['-tzf', file], { encoding: 'utf8' }).split('\n');
    const kept = (folder: string): string[] =>
      listed.flatMap((name) => new RegExp(`^(?:\\./)?${folder}/(.+)\\.tgz$`).exec(name)?.[1] ?? []).sort();
    expect(kept('jobs')).toEqual(readdirSync(join(release, 'jobs')).sort());
    expect(kept('packages')).toEqual(readdirSync(join(release, 'packages')).sort());
    // What lies in the package is what its spec asked for: an empty one is made without a word.
    for (const name of kept('packages')) {
      const inner = execFileSync(
        'sh',
        [
          '-c',
          `tar -xOzf "$1" "$2" | tar -tz`,
          'sh',
          file,
          listed.find((one) => one.endsWith(`packages/${name}.tgz`)) ?? '',
        ],
        { encoding: 'utf8' },
      );
      expect(`${name}: ${inner.split('\n').filter((line) => line && !line.endsWith('/')).length > 1}`).toBe(
        `${name}: true`,
      );
    }
  }, 240_000);

  test('its jobs are compiled and rendered by bosh itself, without a network: the same files as by our renderer', () => {
    const jobs = tableJobs();
    const properties = nested(Object.assign({}, ...jobs.map(required), AGENT, AWS) as Properties);
    const made = createEnv(home, join(home, 'unik.tgz'), { jobs, properties });
    if (!('out' in made)) throw new Error(`${made.stdout}${made.stderr}`);
    // There each template is told an id of its own, and no address: that comes from a director.
    const id = '00000000-0000-0000-0000-000000000000';
    const anyId = (text: string): string => text.replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, id);
    for (const job of jobs) {
      const ours = render(job, properties, { id, deployment: 'by-hand', az: 'unknown', ip: null });
      if ('error' in ours) throw new Error(ours.error);
      for (const [target, text] of Object.entries(ours.files)) {
        const theirs = anyId(readFileSync(join(made.out, 'jobs', job, target), 'utf8'));
        expect(`${job} ${target}\n${theirs}`).toBe(`${job} ${target}\n${text}`);
      }
    }
    const config: unknown = JSON.parse(readFileSync(join(made.out, 'jobs/unik-cell/config/cell.json'), 'utf8'));
    expect(() => parseCellConfig(config, 'cell.json')).toThrow(/external_address/);
    expect(() => parseCellConfig({ ...(config as object), external_address: '10.0.0.1' }, 'cell.json')).not.toThrow();
    const packages = [...new Set(jobs.flatMap((job) => jobSpec(job).packages))].sort();
    expect(readdirSync(join(made.out, 'packages')).sort()).toEqual(packages);
    for (const name of packages)
      expect(`${name}: ${readdirSync(join(made.out, 'packages', name)).length > 0}`).toBe(`${name}: true`);
    for (const program of ['unik/bin/unik', 'unik-node/bin/node', 'unik-qemu/bin/qemu-system-x86_64'])
      expect(existsSync(join(made.out, 'packages', program))).toBe(true);
  }, 480_000);

  const bases: [name: string, file: string, before: string[]][] = [
    ['a manifest of our own', join(root, 'test/fixtures/bosh/cf.yml'), []],
  ];
  const checkout = process.env['CF_DEPLOYMENT_DIR'];
  if (checkout === undefined)
    process.stderr.write('cf-deployment itself: not asked for, CF_DEPLOYMENT_DIR names no checkout\n');
  else {
    bases.push(['cf-deployment', join(checkout, 'cf-deployment.yml'), []]);
    bases.push([
      'cf-deployment with Windows cells',
      join(checkout, 'cf-deployment.yml'),
      [join(checkout, 'operations/windows2019-cell.yml')],
    ]);
  }
  /** What came of each file, of the last base. */
  const outcome = new Map<string, Manifest>();
  /** The base with these operations files, each of them twice. */
  const applied = (base: string, before: string[], names: string[]): Manifest => {
    const paths = names.map((name) => join(OPS, name));
    const ops = [...before, ...paths, ...paths].flatMap((file) => ['-o', file]);
    const asked = paths.flatMap((file) => [...readFileSync(file, 'utf8').matchAll(/\(\((unik_[a-z_]+)\)\)/g)]);
    const values = asked.map(([, variable = '']) => [variable, VARIABLES[variable] ?? `value-of-${variable}`]);
    const given = [...Object.entries(VARIABLES), ...values].flatMap(([key, value]) => ['-v', `${key}=${value}`]);
    // What one file asks for the others find: keys take their time.
    const store = join(home, `vars-of-${basename(base)}`);
    const done = bosh(home, ['int', base, ...ops, ...given, `--vars-store=${store}`, '--var-errs']);
    expect({ code: done.code, stderr: done.code ? done.stderr : '' }).toEqual({ code: 0, stderr: '' });
    return parse(done.stdout) as Manifest;
  };
  const files = readdirSync(OPS).filter((name) => name.endsWith('.yml'));
  describe.each(bases)('on %s', (_, base, before) => {
    test.each(files)(
      '%s: applied twice, every variable resolved, every property one that its job takes',
      (name) => {
        const ours = [FIRST, STACK].includes(name) ? [name] : [FIRST, name];
        const manifest = applied(base, before, ours);
        expect(manifest.releases.filter((one) => one.name === 'unik')).toHaveLength(1);
        const groups = manifest.instance_groups.filter((group) => group.jobs.some((job) => job.release === 'unik'));
        expect(groups.length).toBeGreaterThan(name === STACK ? 0 : 1);
        for (const group of groups) {
          expect(manifest.instance_groups.filter((one) => one.name === group.name)).toHaveLength(1);
          for (const job of group.jobs.filter((one) => one.release === 'unik')) {
            const { properties: known } = jobSpec(job.name);
            const unknown = leaves(job.properties ?? {}).filter(
              (path) => !Object.keys(known).some((key) => path === key || path.startsWith(`${key}.`)),
            );
            expect({ job: job.name, unknown }).toEqual({ job: job.name, unknown: [] });
            const made = render(job.name, job.properties ?? {});
            if ('error' in made) throw new Error(made.error);
            const config = made.files['config/cell.json'];
            if (config !== undefined) expect(() => parseCellConfig(JSON.parse(config), 'cell.json')).not.toThrow();
          }
        }
        outcome.set(name, manifest);
      },
      240_000,
    );

    test('all of them at once, twice', () => {
      const manifest = applied(base, before, [FIRST, ...files.filter((name) => name !== FIRST)]);
      const names = manifest.instance_groups.map((group) => group.name);
      expect(names).toEqual([...new Set(names)]);
      for (const { jobs } of manifest.instance_groups) {
        const jobNames = jobs.map((job) => job.name);
        expect(jobNames).toEqual([...new Set(jobNames)]);
      }
    }, 240_000);
  });

  test('the stand-alone manifest: every variable resolved, every property known, NATS by a link across deployments', () => {
    const given = ['-v', 'cf_deployment=cf', '-v', `unik_platform_networks=${VARIABLES['unik_platform_networks']}`];
    const foundation = ['-l', join(home, 'vars-of-cf.yml')];
    const done = bosh(home, ['int', join(root, 'manifests/unik-cells.yml'), ...given, ...foundation, '--var-errs']);
    expect({ code: done.code, stderr: done.code ? done.stderr : '' }).toEqual({ code: 0, stderr: '' });
    const [group] = (parse(done.stdout) as Manifest).instance_groups;
    expect(group?.jobs.map((job) => job.name)).toEqual(['unik-cell']);
    const [job] = group?.jobs ?? [];
    const { properties: known, consumes = [] } = jobSpec('unik-cell');
    const properties = job?.properties ?? {};
    expect(leaves(properties).filter((path) => !(path in known))).toEqual([]);
    expect(job?.consumes).toEqual({ 'nats-tls': { from: 'nats-tls', deployment: 'cf' } });
    expect(consumes.map((link) => link.name)).toEqual(Object.keys(job?.consumes ?? {}));
    const made = render('unik-cell', properties, {}, NATS);
    if ('error' in made) throw new Error(made.error);
    const config = parseCellConfig(JSON.parse(made.files['config/cell.json'] ?? ''), 'cell.json');
    expect(config.routes.emitter).toBe('builtin');
  });

  test('exactly one emitter of routes on each unikernel cell', () => {
    const cells = (outcome.get(FIRST)?.instance_groups ?? []).filter((group) =>
      group.jobs.some((job) => job.name === 'unik-cell'),
    );
    expect(cells.length).toBeGreaterThan(0);
    for (const { jobs } of cells) {
      expect(jobs.filter((job) => job.name === 'route_emitter')).toHaveLength(1);
      const own = jobs.find((job) => job.name === 'unik-cell');
      expect(JSON.stringify(own?.properties)).not.toContain('builtin');
    }
  });
});

/** Dotted names of all values. */
function leaves(tree: object, prefix = ''): string[] {
  return Object.entries(tree).flatMap(([key, value]) =>
    value !== null && typeof value === 'object' && !Array.isArray(value) && Object.keys(value as object).length > 0
      ? leaves(value as object, `${prefix}${key}.`)
      : [`${prefix}${key}`],
  );
}
