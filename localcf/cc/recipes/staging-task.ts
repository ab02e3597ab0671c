/** A build as the staging task that Cloud Controller sends (`staging_action_builder.rb`, `task_recipe_builder.rb`). Pure. */
import type { Sent } from '../../../backend/wire/codec.js';
import type { Action, CachedDependency, TaskDefinition } from '../../../protos/generated.js';
import { xxhash64 } from '../../../stager/lifecycle/xxhash64.js';
import { stagingEnv } from './environment.js';
import { MAX_PIDS, NOFILE, STAGING_TIMEOUT_S, type BuildpackChoice, type Places, type StagingFacts } from './facts.js';
import * as parts from './parts.js';

export const STAGING_DOMAIN = 'cf-app-staging';
const STAGING_CPU_WEIGHT = 50;

export function stagingTask(facts: StagingFacts, places: Places): Sent<TaskDefinition> {
  const { app, build, stack } = facts;
  return {
    root_fs: parts.rootfsOf(stack, stack.name, 'build'),
    environment_variables: parts.LANG,
    ...{ memory_mb: build.staging_memory_in_mb, disk_mb: build.staging_disk_in_mb },
    ...{ cpu_weight: STAGING_CPU_WEIGHT, max_pids: MAX_PIDS, privileged: false },
    log_rate_limit: { bytes_per_second: BigInt(build.staging_log_rate_limit_bytes_per_second) },
    ...{ log_guid: app.guid, metrics_guid: '', log_source: 'STG', metric_tags: parts.appTags(facts) },
    result_file: '/tmp/result.json',
    completion_callback_url: places.staging_done(build.guid),
    egress_rules: parts.egressRules(facts.security_groups),
    cached_dependencies: dependencies(facts, places),
    legacy_download_user: parts.USER,
    trusted_system_certificates_path: parts.CERTIFICATES_DIR,
    network: parts.networkOf(facts, 'staging', []),
    certificate_properties: parts.certificateOf(facts),
    placement_tags: facts.isolation_segment === null ? [] : [facts.isolation_segment],
    action: {
      timeout_action: {
        action: parts.serial(...downloads(facts, places), builder(facts, places), uploads(facts, places)),
        timeout_ms: BigInt(STAGING_TIMEOUT_S) * 1_000n,
      },
    },
  };
}

/** What the builder is told: the row's guid and version would do as well, the name is what `cf app` shows. */
const keyOf = (choice: BuildpackChoice): string => (choice.kind === 'admin' ? choice.row.name : choice.url);

function dependencies({ stack, buildpacks }: StagingFacts, places: Places): Sent<CachedDependency>[] {
  return [
    parts.lifecycleDependency(stack.name, places.lifecycle),
    ...buildpacks.flatMap((choice): Sent<CachedDependency>[] => {
      if (choice.kind !== 'admin') return [];
      const { url, sha256 } = places.buildpack(choice.row);
      const key = keyOf(choice);
      return [
        {
          ...{ name: choice.row.name, from: url, to: `/tmp/buildpacks/${xxhash64(key)}` },
          cache_key: sha256 === undefined ? choice.row.guid : `${choice.row.guid}_${sha256}`,
          ...(sha256 === undefined ? {} : { checksum_algorithm: 'sha256', checksum_value: sha256 }),
        },
      ];
    }),
  ];
}

function downloads(facts: StagingFacts, places: Places): Sent<Action>[] {
  const app = parts.download('app package', '/tmp/app', places.package(facts.package));
  if (!facts.cache) return [parts.parallel(app)];
  const cache = parts.download('build artifacts cache', '/tmp/cache', places.cache(facts.app.guid, facts.cache.sha256));
  return [parts.parallel(app, { try_action: { action: cache } })];
}

function builder(facts: StagingFacts, places: Places): Sent<Action> {
  const { buildpacks } = facts;
  const skip = buildpacks.some((choice) => choice.kind === 'custom' || choice.skip_detect);
  return {
    run_action: {
      path: `${parts.LIFECYCLE_DIR}/builder`,
      user: parts.USER,
      args: [
        `-buildpackOrder=${buildpacks.map(keyOf).join(',')}`,
        '-skipCertVerify=false',
        `-skipDetect=${String(skip)}`,
        '-buildDir=/tmp/app',
        '-outputDroplet=/tmp/droplet',
        '-outputMetadata=/tmp/result.json',
        '-outputBuildArtifactsCache=/tmp/output-cache',
        '-buildpacksDir=/tmp/buildpacks',
        '-buildArtifactsCacheDir=/tmp/cache',
      ],
      env: parts.envOf(stagingEnv(facts, places.api_url)),
      resource_limits: { nofile: BigInt(NOFILE) },
    },
  };
}

function uploads({ build }: StagingFacts, places: Places): Sent<Action> {
  const upload = (artifact: string, from: string, to: string): Sent<Action> => ({
    upload_action: { artifact, from, to, user: parts.USER },
  });
  return {
    emit_progress_action: {
      action: parts.parallel(
        upload('droplet', '/tmp/droplet', places.upload_droplet(build)),
        upload('build artifacts cache', '/tmp/output-cache', places.upload_cache(build)),
      ),
      start_message: 'Uploading droplet, build artifacts cache...',
      success_message: 'Uploading complete',
      failure_message_prefix: 'Uploading failed',
    },
  };
}
