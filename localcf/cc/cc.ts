/** What every resource file is given. Made in localcf/main.ts. */
import type { Clock } from '../../core/clock.js';
import type { Log } from '../../core/log.js';
import type { Caller } from './access.js';
import type { Blobs } from './blobs.js';
import type { ResourceCache } from './bits/resources.js';
import type { Diego } from './diego/index.js';
import type { Jobs } from './jobs.js';
import type { Store } from './store.js';

export interface CcConfig {
  /** Base of this API, `http://host:port`: all links begin with it. */
  api_url: string;
  /** Domain of the apps; the first shared domain is made of it. */
  apps_domain: string;
  /** Port where the router listens, for what is printed and VCAP_APPLICATION. */
  router_port: number;
  uaa_url: string;
  log_cache_url: string;
  /** Null: nobody streams. */
  log_stream_url: string | null;
  /** `host:port`; null: no SSH. */
  ssh: { address: string; fingerprint: string } | null;
  /** Megabytes, bytes per second, seconds. */
  defaults: {
    memory_mb: number;
    disk_mb: number;
    log_rate_limit: number;
    health_check_timeout_s: number;
    max_health_check_timeout_s: number;
    staging_memory_mb: number;
    staging_disk_mb: number;
  };
  /** Largest uploads, bytes. */
  limits: { package_bytes: number; buildpack_bytes: number; droplet_bytes: number };
}

export interface Cc {
  store: Store;
  config: CcConfig;
  jobs: Jobs;
  blobs: Blobs;
  /** Files of earlier packages, which `cf push` need not send again. */
  known_files: ResourceCache;
  diego: Diego;
  clock: Clock;
  log: Log;
  /** Undefined: no token, or one that does not count. */
  authenticate: (authorization: string | undefined) => Promise<Caller | undefined>;
}
