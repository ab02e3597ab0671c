import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { goMillis } from '../../core/go-format.js';
import type { BuildpackData, StagingAnnotation, StagingRequest } from './request.js';

/** Of a task for the BBS, what staging says. The rest has its default. */
export interface StagingDefinition {
  root_fs: string;
  environment_variables: Variable[];
  cached_dependencies: {
    name: string;
    from: string;
    to: string;
    cache_key: string;
    checksum_algorithm: string;
    checksum_value: string;
  }[];
  action: TaskAction;
  memory_mb: number;
  disk_mb: number;
  cpu_weight: number;
  privileged: boolean;
  log_guid: string;
  log_source: string;
  result_file: string;
  completion_callback_url: string;
  annotation: string;
  egress_rules: Record<string, unknown>[];
  placement_tags: string[];
  trusted_system_certificates_path: string;
}

export interface TaskAction {
  download_action?: {
    artifact: string;
    from: string;
    to: string;
    user: string;
    checksum_algorithm: string;
    checksum_value: string;
  };
  upload_action?: { artifact: string; from: string; to: string; user: string };
  run_action?: {
    path: string;
    args: string[];
    user: string;
    env: Variable[];
    resource_limits: { nofile?: bigint };
  };
  timeout_action?: { action: TaskAction; timeout_ms: bigint };
  emit_progress_action?: {
    action: TaskAction;
    start_message: string;
    success_message: string;
    failure_message_prefix: string;
  };
  try_action?: { action: TaskAction };
  parallel_action?: { actions: TaskAction[] };
  serial_action?: { actions: TaskAction[] };
}

interface Variable {
  name: string;
  value: string;
}

export interface TaskPlaces {
  /** This service, as the BBS reaches it. */
  callback_url: string;
  uploader_url: string;
  file_server_url: string;
  /** Of each stack: a URL, or a path on the file server. */
  lifecycles: Readonly<Record<string, string>>;
  privileged: boolean;
}

export const DOMAIN = 'cf-app-staging';
const USER = 'vcap';
const DEFAULT_TIMEOUT_MS = goMillis('15m') ?? 0;
const PLACES = {
  ...{ lifecycle: '/tmp/lifecycle', build: '/tmp/app', droplet: '/tmp/droplet', result: '/tmp/result.json' },
  ...{ cache: '/tmp/cache', outputCache: '/tmp/output-cache', buildpacks: '/tmp/buildpacks' },
} as const;

/** A request that cannot be staged; the message is for the log only. */
export class NotStageable extends Error {}

/** The task for a request, as cloudfoundry/stager builds it (`backend/buildpack_backend.go`). Throws NotStageable. */
export function stagingDefinition(
  guid: string,
  request: StagingRequest,
  data: BuildpackData,
  places: TaskPlaces,
): StagingDefinition {
  if (request.app_id === '') throw new NotStageable('missing app id');
  if (data.app_bits_download_uri === '') throw new NotStageable('missing app bits download uri');
  const timeout_ms = request.timeout > 0 ? request.timeout * 1_000 : DEFAULT_TIMEOUT_MS;
  const annotation: StagingAnnotation = {
    lifecycle: request.lifecycle,
    completion_callback: request.completion_callback,
  };
  return {
    root_fs: `preloaded:${data.stack}`,
    environment_variables: [{ name: 'LANG', value: 'en_US.UTF-8' }],
    cached_dependencies: dependencies(data, places),
    action: {
      timeout_action: {
        action: {
          serial_action: {
            actions: [
              ...downloads(data),
              progress('Staging', builder(request, data)),
              progress('Uploading', uploads(request, data, places.uploader_url, timeout_ms)),
            ],
          },
        },
        timeout_ms: BigInt(timeout_ms),
      },
    },
    ...{ memory_mb: request.memory_mb, disk_mb: request.disk_mb, cpu_weight: 50, privileged: places.privileged },
    ...{ log_guid: request.log_guid, log_source: 'STG', result_file: PLACES.result },
    completion_callback_url: `${trimmed(places.callback_url)}/v1/staging/${encodeURIComponent(guid)}/completed`,
    annotation: JSON.stringify(annotation),
    egress_rules: request.egress_rules ?? [],
    placement_tags: request.isolation_segment ? [request.isolation_segment] : [],
    trusted_system_certificates_path: '/etc/cf-system-certificates',
  };
}

function dependencies({ stack, buildpacks }: BuildpackData, places: TaskPlaces) {
  const lifecycle = Object.hasOwn(places.lifecycles, stack) ? places.lifecycles[stack] : undefined;
  if (lifecycle === undefined) throw new NotStageable('no compiler defined for requested stack');
  const from = /^https?:\/\//.test(lifecycle)
    ? lifecycle
    : `${trimmed(places.file_server_url)}/v1/static/${lifecycle.replace(/^\/+/, '')}`;
  const none = { checksum_algorithm: '', checksum_value: '' };
  return [
    { name: '', from, to: PLACES.lifecycle, cache_key: `buildpack-${stack}-lifecycle`, ...none },
    ...(buildpacks ?? [])
      .filter(({ name }) => name !== 'custom')
      .map(({ name, key, url, sha256 }) => ({
        ...{ name, from: url, cache_key: key },
        to: posix.join(PLACES.buildpacks, createHash('md5').update(key).digest('hex')),
        ...(sha256 ? { checksum_algorithm: 'sha256', checksum_value: sha256 } : none),
      })),
  ];
}

function downloads(data: BuildpackData): TaskAction[] {
  const { app_bits_checksum: bits, buildpack_cache_checksum: cached, build_artifacts_cache_download_uri: cache } = data;
  const download = (artifact: string, from: string, to: string, algorithm = '', value = ''): TaskAction => ({
    download_action: { artifact, from, to, user: USER, checksum_algorithm: algorithm, checksum_value: value },
  });
  const app = download('app package', data.app_bits_download_uri, PLACES.build, bits?.type, bits?.value);
  if (!cache) return [app];
  const sum = cached ? (['sha256', cached] as const) : [];
  return [app, { try_action: { action: download('build artifacts cache', cache, PLACES.cache, ...sum) } }];
}

function builder({ environment, file_descriptors }: StagingRequest, { buildpacks, stack }: BuildpackData): TaskAction {
  const keys = (buildpacks ?? []).map(({ name, key, url }) => (name === 'custom' ? url || key : key));
  const skip = buildpacks?.length === 1 && buildpacks[0]?.skip_detect === true;
  return {
    run_action: {
      path: posix.join(PLACES.lifecycle, 'builder'),
      args: [
        `-buildpackOrder=${keys.join(',')}`,
        '-skipCertVerify=false',
        `-skipDetect=${String(skip)}`,
        ...[`-buildDir=${PLACES.build}`, `-outputDroplet=${PLACES.droplet}`, `-outputMetadata=${PLACES.result}`],
        `-outputBuildArtifactsCache=${PLACES.outputCache}`,
        ...[`-buildpacksDir=${PLACES.buildpacks}`, `-buildArtifactsCacheDir=${PLACES.cache}`],
      ],
      user: USER,
      env: [...(environment ?? []).map(({ name, value }) => ({ name, value })), { name: 'CF_STACK', value: stack }],
      resource_limits: file_descriptors > 0 ? { nofile: BigInt(file_descriptors) } : {},
    },
  };
}

function uploads({ app_id }: StagingRequest, data: BuildpackData, uploader: string, timeout_ms: number): TaskAction {
  const to = (kind: string, parameter: string, uri: string): string => {
    const query = new URLSearchParams({ [parameter]: uri, timeout: String(timeout_ms / 1_000) });
    return `${trimmed(uploader)}/v1/${kind}/${encodeURIComponent(app_id)}?${query.toString()}`;
  };
  const upload = (artifact: string, from: string, address: string): TaskAction => ({
    upload_action: { artifact, from, to: address, user: USER },
  });
  const droplet = to('droplet', 'cc-droplet-upload-uri', data.droplet_upload_uri);
  const cache = to('build_artifacts', 'cc-build-artifacts-upload-uri', data.build_artifacts_cache_upload_uri);
  return {
    parallel_action: {
      actions: [
        upload('droplet', PLACES.droplet, droplet),
        { try_action: { action: upload('build artifacts cache', PLACES.outputCache, cache) } },
      ],
    },
  };
}

function progress(what: string, action: TaskAction): TaskAction {
  const [start_message, success_message] = [`${what}...`, `${what} complete`];
  return {
    emit_progress_action: { action, start_message, success_message, failure_message_prefix: `${what} failed` },
  };
}

const trimmed = (url: string): string => url.replace(/\/+$/, '');
