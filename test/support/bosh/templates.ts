/** Templates of the release's jobs, rendered by Ruby as BOSH renders them (test/support/bosh/render.rb). */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { root } from '../unik.js';

export const release = join(root, 'bosh-release');

export interface JobSpec {
  name: string;
  templates: Record<string, string>;
  packages: string[];
  properties: Record<string, { description?: string; default?: unknown; example?: unknown }>;
  consumes?: { name: string; type: string; optional?: boolean }[];
}

export function jobSpec(job: string): JobSpec {
  return parse(readFileSync(join(release, 'jobs', job, 'spec'), 'utf8')) as JobSpec;
}

export interface Instance {
  id: string;
  name: string;
  deployment: string;
  index: number;
  az: string;
  /** The command line alone knows none. */
  ip: string | null;
  bootstrap: boolean;
  address: string;
}

/** What BOSH knows of an instance. */
export const INSTANCE: Instance = {
  ...{ id: 'a1_b2', name: 'unik-cell', deployment: 'cf', index: 0, az: 'z1', ip: '10.0.16.20', bootstrap: true },
  address: 'a1-b2.unik-cell.default.cf.bosh',
};

export type Rendered = { files: Record<string, string> } | { error: string };

/** `properties`: nested, as in a manifest. Gives the files by their targets, or why a template refused. */
export function render(job: string, properties: object, instance: Partial<Instance> = {}, links = {}): Rendered {
  const input = { job: join(release, 'jobs', job), properties, spec: { ...INSTANCE, ...instance }, links };
  const done = spawnSync('ruby', [join(root, 'test/support/bosh/render.rb')], {
    input: JSON.stringify(input),
    encoding: 'utf8',
    timeout: 30_000,
  });
  if (done.status !== 0) throw new Error(`ruby: ${done.error?.message ?? done.stderr}`);
  const result = JSON.parse(done.stdout) as Record<string, string>;
  return result['error'] === undefined ? { files: result } : { error: result['error'] };
}

/** `{'a.b': 1}` as `{a: {b: 1}}`; both may be mixed. */
export function nested(flat: Record<string, unknown>): Record<string, unknown> {
  const tree: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(flat)) {
    const path = name.split('.');
    const last = path.pop() ?? name;
    let at = tree;
    for (const key of path) at = (at[key] ??= {}) as Record<string, unknown>;
    at[last] = value;
  }
  return tree;
}
