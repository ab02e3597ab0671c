/** The release as the real `bosh` makes it, and the operations files as it applies them. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { bosh, makeHome } from '../../support/bosh/bosh.js';
import { jobSpec, release, render } from '../../support/bosh/templates.js';
import { fillRelease } from '../../support/bosh/vm.js';
import { describePeer } from '../../support/peers.js';
import { root } from '../../support/unik.js';

const OPS = join(root, 'manifests/operations');
const FIRST = 'add-unik-cell.yml';
const NOTES = ['.dev_builds', 'dev_releases'].map((name) => join(release, name));
/** What an operator fills in. */
const VARIABLES: Record<string, string> = {
  system_domain: 'sys.example.com',
  unik_platform_networks: '[10.0.0.0/16]',
};

interface Manifest {
  releases: { name: string }[];
  instance_groups: { name: string; jobs: { name: string; release: string; properties?: object }[] }[];
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
  const files = readdirSync(OPS).filter((name) => name.endsWith('.yml'));
  describe.each(bases)('on %s', (_, base, before) => {
    test.each(files)(
      '%s: applied twice, every variable resolved, every property one that its job knows',
      (name) => {
        const ours = name === FIRST ? [FIRST] : [FIRST, name];
        const ops = [...before, ...[...ours, ...ours].map((file) => join(OPS, file))].flatMap((file) => ['-o', file]);
        const asked = readFileSync(join(OPS, name), 'utf8').matchAll(/\(\((unik_[a-z_]+)\)\)/g);
        const values = [...asked].map(([, variable = '']) => [variable, VARIABLES[variable] ?? `value-of-${variable}`]);
        const given = [...Object.entries(VARIABLES), ...values].flatMap(([key, value]) => ['-v', `${key}=${value}`]);
        const store = join(home, `${name}.vars.yml`);
        const done = bosh(home, ['int', base, ...ops, ...given, `--vars-store=${store}`, '--var-errs']);
        expect({ code: done.code, stderr: done.code ? done.stderr : '' }).toEqual({ code: 0, stderr: '' });
        const manifest = parse(done.stdout) as Manifest;
        expect(manifest.releases.filter((one) => one.name === 'unik')).toHaveLength(1);
        const groups = manifest.instance_groups.filter((group) => group.jobs.some((job) => job.release === 'unik'));
        expect(groups.length).toBeGreaterThan(1);
        for (const group of groups) {
          expect(manifest.instance_groups.filter((one) => one.name === group.name)).toHaveLength(1);
          for (const job of group.jobs.filter((one) => one.release === 'unik')) {
            const { properties: known } = jobSpec(job.name);
            const unknown = leaves(job.properties ?? {}).filter(
              (path) => !Object.keys(known).some((key) => path === key || path.startsWith(`${key}.`)),
            );
            expect({ job: job.name, unknown }).toEqual({ job: job.name, unknown: [] });
            expect(render(job.name, job.properties ?? {})).toHaveProperty('files');
          }
        }
        writeFileSync(join(home, `${name}.out.yml`), done.stdout);
      },
      60_000,
    );
  });

  test('exactly one emitter of routes on each unikernel cell', () => {
    const cells = (parse(readFileSync(join(home, `${FIRST}.out.yml`), 'utf8')) as Manifest).instance_groups.filter(
      (group) => group.jobs.some((job) => job.name === 'unik-cell'),
    );
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
