import type { Clock } from '../core/clock.js';
import type { Log } from '../core/log.js';
import type { LocalCfConfig } from './config.js';

export interface LocalCfOptions {
  /** All state lies here. */
  home: string;
  config: LocalCfConfig;
  /** What `node` is given to run `unik`. */
  command: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  /** Files of the release: `unik_app_lifecycle.tgz`, the buildpack's zip. */
  shipped: { lifecycle: string; buildpack: string };
  clock: Clock;
  log: Log;
}
