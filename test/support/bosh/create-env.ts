/**
 * Jobs and their packages as the bosh command line makes them on its own, without a director: `bosh create-env` compiles
 * and renders whatever stands beside its CPI. The CPI is one of ours, which copies what was made and then makes no VM.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { bosh, type Ran } from './bosh.js';

const NO_VM = 'no VM is made in this test';
const CPI = `#!/bin/bash
case $(cat) in
  *'"method":"info"'*) echo '{"result":{"stemcell_formats":[],"api_version":2},"error":null,"log":""}' ;;
  *)
    cp -RPl "$BOSH_JOBS_DIR" "$BOSH_PACKAGES_DIR" <%= p('out') %>/ >&2
    echo '{"result":null,"error":{"type":"Test","message":"${NO_VM}","ok_to_retry":false},"log":""}' ;;
esac
`;
const SPEC = {
  name: 'test-cpi',
  templates: { 'cpi.erb': 'bin/cpi' },
  packages: [],
  properties: { out: { description: 'Folder that what was made is copied to.' } },
};
const STEMCELL = {
  ...{ name: 'test', version: '1', api_version: 3, sha1: '', operating_system: 'ubuntu-jammy', cloud_properties: {} },
};

/**
 * `home`: where bosh works; `release`: the tar file; `properties`: nested. Gives the folder that holds `jobs` and
 * `packages`, or what bosh said when it did not come so far.
 */
export function createEnv(
  home: string,
  release: string,
  { jobs, properties }: { jobs: readonly string[]; properties: object },
): { out: string } | Ran {
  const at = (...path: string[]): string => join(home, 'create-env', ...path);
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(at(path)), { recursive: true });
    writeFileSync(at(path), text);
  };
  for (const folder of ['out', 'cpi/packages', 'cpi/src', 'cpi/blobs']) mkdirSync(at(folder), { recursive: true });
  write('cpi/config/final.yml', stringify({ name: 'test-cpi' }));
  write('cpi/config/blobs.yml', stringify({}));
  write('cpi/jobs/test-cpi/spec', stringify(SPEC));
  write('cpi/jobs/test-cpi/monit', '');
  write('cpi/jobs/test-cpi/templates/cpi.erb', CPI);
  const made = bosh(home, ['create-release', '--force', `--dir=${at('cpi')}`, `--tarball=${at('cpi.tgz')}`]);
  if (made.code !== 0) return made;
  write('stemcell/stemcell.MF', stringify(STEMCELL));
  write('stemcell/image', '');
  execFileSync('tar', ['-czf', at('stemcell.tgz'), '-C', at('stemcell'), 'stemcell.MF', 'image']);
  const manifest = {
    name: 'by-hand',
    releases: [
      { name: 'unik', url: `file://${release}` },
      { name: 'test-cpi', url: `file://${at('cpi.tgz')}` },
    ],
    networks: [{ name: 'default', type: 'dynamic' }],
    resource_pools: [{ name: 'vms', network: 'default', stemcell: { url: `file://${at('stemcell.tgz')}` } }],
    instance_groups: [
      {
        ...{ name: 'vm', instances: 1, resource_pool: 'vms', networks: [{ name: 'default' }] },
        jobs: jobs.map((name) => ({ name, release: 'unik' })),
      },
    ],
    cloud_provider: {
      mbus: 'https://mbus:none@127.0.0.1:1',
      templates: [{ name: 'test-cpi', release: 'test-cpi' }, ...jobs.map((name) => ({ name, release: 'unik' }))],
      properties: { ...properties, out: at('out') },
    },
  };
  write('env.yml', stringify(manifest));
  const ran = bosh(home, ['create-env', at('env.yml')]);
  return `${ran.stdout}${ran.stderr}`.includes(NO_VM) ? { out: at('out') } : ran;
}
