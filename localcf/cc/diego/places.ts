/** Addresses that the cell and the BBS are given. Each is signed, so that only who was given it can use it. Pure. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Places } from '../recipes/facts.js';

export interface PlaceOptions {
  api_url: string;
  /** Of the internal listener, `https://host:port`. */
  internal_url: string;
  key: Buffer;
  /** Of the lifecycle as it is served. */
  lifecycle_sha256: string;
}

export function sign(key: Buffer, path: string): string {
  return createHmac('sha256', key).update(path).digest('base64url');
}

export function isSigned(key: Buffer, path: string, signature: string | null): boolean {
  const [expected, given] = [Buffer.from(sign(key, path)), Buffer.from(signature ?? '')];
  return expected.length === given.length && timingSafeEqual(expected, given);
}

export function createPlaces({ api_url, internal_url, key, lifecycle_sha256 }: PlaceOptions): Places {
  const at = (path: string): string => `${internal_url}${path}?signature=${sign(key, path)}`;
  const blob = (kind: string, sha256: string | null) => ({
    url: at(`/blobs/${kind}/${sha256 ?? 'none'}`),
    sha256: sha256 ?? undefined,
  });
  return {
    api_url,
    // The digest in the path: a new lifecycle is another address.
    lifecycle: { url: at(`/lifecycle/${lifecycle_sha256}`), sha256: lifecycle_sha256 },
    droplet: (_process_guid, { sha256 }) => blob('droplet', sha256),
    package: ({ sha256 }) => blob('package', sha256),
    buildpack: ({ sha256 }) => blob('buildpack', sha256),
    cache: (_app_guid, sha256) => blob('cache', sha256),
    upload_droplet: ({ guid }) => at(`/builds/${guid}/droplet`),
    upload_cache: ({ guid }) => at(`/builds/${guid}/cache`),
    staging_done: (guid) => at(`/builds/${guid}/completed`),
    task_done: (guid) => at(`/tasks/${guid}/completed`),
  };
}
