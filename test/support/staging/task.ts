/** Staging tasks as Cloud Controller builds them (cloud_controller_ng `task_recipe_builder.rb`, `staging_action_builder.rb`). */
import type { Sent } from '../../../backend/wire/codec.js';
import type { Action, TaskDefinition } from '../../../protos/generated.js';
import type { Blob } from './origin.js';

export interface StagingOptions {
  guid: string;
  bits: Blob;
  lifecycle: Blob;
  /** Base of the uploader. */
  uploader: string;
  cache?: Blob;
  buildpacks?: (Blob & { key: string; path: string })[];
  /** Further buildpacks, by URL: the builder fetches them itself. */
  urls?: string[];
  skip_detect?: boolean;
  env?: Record<string, string>;
  stack?: string;
  timeout_ms?: number;
  memory_mb?: number;
  disk_mb?: number;
  max_pids?: number;
  callback?: string;
  /** Image layers in place of cached dependencies and downloads. */
  layers?: boolean;
}

export function stagingTask(options: StagingOptions): Sent<TaskDefinition> {
  const { guid, bits, lifecycle, cache, buildpacks = [], stack = 'unik', layers = false } = options;
  const env = { CF_STACK: stack, MEMORY_LIMIT: '1024m', VCAP_SERVICES: '{}', VCAP_APPLICATION: '{}', ...options.env };
  const download = (artifact: string, to: string, { url, sha256 }: Blob): Sent<Action> => ({
    download_action: { artifact, from: url, to, user: 'vcap', checksum_algorithm: 'sha256', checksum_value: sha256 },
  });
  const upload = (artifact: string, from: string, path: string): Sent<Action> => ({
    upload_action: { artifact, from, to: `${options.uploader}${path}`, user: 'vcap' },
  });
  const builder: Sent<Action> = {
    run_action: {
      path: '/tmp/lifecycle/builder',
      user: 'vcap',
      args: [
        `-buildpackOrder=${[...buildpacks.map(({ key }) => key), ...(options.urls ?? [])].join(',')}`,
        '-skipCertVerify=false',
        `-skipDetect=${String(options.skip_detect ?? false)}`,
        '-buildDir=/tmp/app',
        '-outputDroplet=/tmp/droplet',
        '-outputMetadata=/tmp/result.json',
        '-outputBuildArtifactsCache=/tmp/output-cache',
        '-buildpacksDir=/tmp/buildpacks',
        '-buildArtifactsCacheDir=/tmp/cache',
      ],
      resource_limits: { nofile: 16_384n },
      env: Object.entries(env).map(([name, value]) => ({ name, value })),
    },
  };
  const downloads = layers
    ? []
    : [
        {
          parallel_action: {
            actions: [
              download('app package', '/tmp/app', bits),
              ...(cache ? [{ try_action: { action: download('build artifacts cache', '/tmp/cache', cache) } }] : []),
            ],
          },
        },
      ];
  const uploads: Sent<Action> = {
    emit_progress_action: {
      action: {
        parallel_action: {
          actions: [
            upload('', '/tmp/droplet', `/v1/droplet/${guid}?cc-droplet-upload-uri=x&timeout=900`),
            upload('', '/tmp/output-cache', `/v1/build_artifacts/${guid}?timeout=900`),
          ],
        },
      },
      start_message: 'Uploading droplet, build artifacts cache...',
      success_message: 'Uploading complete',
      failure_message_prefix: 'Uploading failed',
    },
  };
  const dependency = ({ url, sha256 }: Blob) => ({ from: url, checksum_algorithm: 'sha256', checksum_value: sha256 });
  const layer = (name: string, { url, sha256 }: Blob, to: string, layer_type: 'SHARED' | 'EXCLUSIVE') => ({
    ...{ name, url, destination_path: to, layer_type, media_type: 'TGZ' as const },
    ...{ digest_algorithm: 'SHA256' as const, digest_value: sha256 },
  });
  return {
    root_fs: `preloaded:${stack}`,
    environment_variables: [{ name: 'LANG', value: 'en_US.UTF-8' }],
    ...{
      disk_mb: options.disk_mb ?? 1024,
      memory_mb: options.memory_mb ?? 1024,
      cpu_weight: 50,
      max_pids: options.max_pids ?? 1024,
    },
    ...{ log_guid: `app-${guid}`, log_source: 'STG', metrics_guid: '', result_file: '/tmp/result.json' },
    metric_tags: { source_id: { static: `app-${guid}` } },
    ...(options.callback === undefined ? {} : { completion_callback_url: options.callback }),
    ...(layers
      ? {
          image_layers: [
            layer('', lifecycle, '/tmp/lifecycle', 'SHARED'),
            ...buildpacks.map((one) => layer(one.key, one, one.path, 'SHARED')),
            layer('app package', bits, '/tmp/app', 'EXCLUSIVE'),
            ...(cache ? [layer('build artifacts cache', cache, '/tmp/cache', 'EXCLUSIVE')] : []),
          ],
        }
      : {
          cached_dependencies: [
            { ...dependency(lifecycle), to: '/tmp/lifecycle', cache_key: `buildpack-${stack}-lifecycle` },
            ...buildpacks.map((one) => ({ ...dependency(one), name: one.key, to: one.path, cache_key: one.key })),
          ],
        }),
    action: {
      timeout_action: {
        action: { serial_action: { actions: [...downloads, builder, uploads] } },
        timeout_ms: BigInt(options.timeout_ms ?? 900_000),
      },
    },
  };
}
