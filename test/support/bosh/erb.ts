/** Templates of the release's jobs, rendered by the renderer of the bosh command line (test/interop/peers/bosh-erb). */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { peer } from '../peers.js';
import { INSTANCE, jobSpec, release, type Rendered } from './templates.js';

/** `properties`: nested, as in a manifest. It knows no links. */
export function renderByBosh(job: string, properties: object): Rendered {
  const { templates, properties: declared } = jobSpec(job);
  const input = {
    templates: Object.entries(templates).map(([source, target]) => ({
      source: join(release, 'jobs', job, 'templates', source),
      target,
    })),
    context: {
      ...INSTANCE,
      ...{ job: { name: job }, networks: {}, global_properties: {}, cluster_properties: {} },
      job_properties: properties,
      default_properties: Object.fromEntries(
        Object.entries(declared).map(([name, about]) => [name, about.default ?? null]),
      ),
    },
  };
  const done = spawnSync(peer('bosh-erb'), {
    ...{ input: JSON.stringify(input), encoding: 'utf8', timeout: 120_000, maxBuffer: 64 << 20 },
  });
  if (done.status !== 0) throw new Error(`bosh-erb: ${done.error?.message ?? done.stderr}`);
  const result = JSON.parse(done.stdout) as Record<string, string>;
  return result['error'] === undefined ? { files: result } : { error: result['error'] };
}
