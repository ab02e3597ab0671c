import { join } from 'node:path';
import type { SourceTree } from '../source.js';

/** Where gems are installed, inside the application. */
const GEMS = 'vendor/bundle';

/** Bundler's folder of gems for an `api` (`3.1.0`) of Ruby. */
export const placeIn = (app: string, api: string): string => join(app, GEMS, 'ruby', api);

/** What tells Bundler, here and in the machine, where gems are and that they are what the lock says. */
export function settings(app: string, bundler: string, source: SourceTree): Record<string, string> {
  return {
    BUNDLE_GEMFILE: `${app}/Gemfile`,
    BUNDLE_PATH: `${app}/${GEMS}`,
    BUNDLE_WITHOUT: 'development:test',
    ...(source.kind('Gemfile.lock') === 'file' ? { BUNDLE_FROZEN: 'true' } : {}),
    // Else it fetches and becomes the version that wrote the lock.
    BUNDLER_VERSION: bundler,
  };
}
