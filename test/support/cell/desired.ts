/** LRPs and tasks as Cloud Controller builds them for a buildpack app (facts: cloud_controller_ng `app_recipe_builder.rb`). */
import type { Sent } from '../../../backend/wire/codec.js';
import type { DesiredLRP, Messages } from '../../../protos/generated.js';

export interface Droplet {
  url: string;
  sha256: string;
}

export interface AppOptions {
  process_guid: string;
  droplet: Droplet;
  instances?: number;
  stack?: string;
  memory_mb?: number;
  disk_mb?: number;
  command?: string;
  health?: { kind: 'port' } | { kind: 'http'; path: string } | { kind: 'process' };
  /** Of liveness probes. Diego's default is 30 s. */
  interval_ms?: number;
  start_timeout_ms?: number;
  env?: Record<string, string>;
  egress?: Sent<DesiredLRP>['egress_rules'];
  domain?: string;
  placement_tags?: string[];
}

export function desiredApp(options: AppOptions): Sent<Messages['models.DesiredLRP']> {
  const { process_guid, droplet, stack = 'unik', health = { kind: 'port' } } = options;
  const app_guid = `app-${process_guid}`;
  const interval_ms = BigInt(options.interval_ms ?? 30_000);
  const checks =
    health.kind === 'port'
      ? [{ tcp_check: { port: 8080, interval_ms } }]
      : health.kind === 'http'
        ? [{ http_check: { port: 8080, path: health.path, interval_ms } }]
        : [];
  const run = {
    path: '/tmp/lifecycle/launcher',
    args: ['app', options.command ?? './behave serve', ''],
    user: 'vcap',
    log_source: 'APP/PROC/WEB',
    resource_limits: { nofile: 16384n },
    env: Object.entries({ PORT: '8080', VCAP_APP_PORT: '8080', VCAP_APP_HOST: '0.0.0.0', ...options.env }).map(
      ([name, value]) => ({ name, value }),
    ),
  };
  return {
    process_guid,
    domain: options.domain ?? 'cf-apps',
    instances: options.instances ?? 1,
    root_fs: `preloaded:${stack}`,
    environment_variables: [{ name: 'LANG', value: 'en_US.UTF-8' }],
    start_timeout_ms: BigInt(options.start_timeout_ms ?? 60_000),
    memory_mb: options.memory_mb ?? 32,
    disk_mb: options.disk_mb ?? 64,
    cpu_weight: 1,
    max_pids: 1024,
    ports: [8080],
    log_source: 'CELL',
    log_guid: app_guid,
    metrics_guid: app_guid,
    metric_tags: {
      source_id: { static: app_guid },
      process_id: { static: process_guid },
      process_type: { static: 'web' },
      process_instance_id: { dynamic: 'INSTANCE_GUID' },
      instance_id: { dynamic: 'INDEX' },
      app_name: { static: process_guid },
    },
    legacy_download_user: 'vcap',
    setup: {
      serial_action: {
        actions: [
          {
            download_action: {
              artifact: 'droplet',
              from: droplet.url,
              to: '.',
              cache_key: `droplets-${process_guid}`,
              user: 'vcap',
              checksum_algorithm: 'sha256',
              checksum_value: droplet.sha256,
            },
          },
        ],
      },
    },
    action: { codependent_action: { actions: [{ run_action: run }] } },
    check_definition: checks.length > 0 ? { checks, log_source: 'HEALTH' } : undefined,
    egress_rules: options.egress ?? [],
    placement_tags: options.placement_tags ?? [],
    routes: {
      routes: {
        'cf-router': Buffer.from(
          JSON.stringify([{ hostnames: [`${process_guid}.apps.test`], port: 8080, route_service_url: null }]),
        ),
        'tcp-router': Buffer.from('[]'),
        'internal-router': Buffer.from('[]'),
      },
    },
  };
}
