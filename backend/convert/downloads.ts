import { posix } from 'node:path';
import { UnikError } from '../../core/errors.js';
import type { CachedDependency, DownloadAction, ImageLayer } from '../../protos/generated.js';
import type { Download } from '../cell/model.js';

/** Where Cloud Foundry puts launcher, builder, healthcheck and diego-sshd: a unikernel runs none of them. */
export const LIFECYCLE_DIR = '/tmp/lifecycle';

/** Cached dependencies; the lifecycle only on demand. */
export function ofDependencies(
  dependencies: readonly CachedDependency[],
  log_source: string,
  withLifecycle = false,
): Download[] {
  return dependencies
    .filter(({ to }) => withLifecycle || !isLifecycle(to))
    .map(({ name, from, to, cache_key, log_source: own, checksum_algorithm, checksum_value }) => ({
      ...{ artifact: name, from, to: absolute(to, 'root'), cache_key, log_source: own || log_source, dependency: true },
      ...checksumOf(checksum_algorithm, checksum_value, name || 'a dependency'),
    }));
}

/**
 * Image layers by the rule of the BBS's older reads (bbs `models/image_layer.go`): a SHARED one becomes a cached
 * dependency, an EXCLUSIVE one a download of the container's own.
 */
export function ofLayers(layers: readonly ImageLayer[], log_source: string, withLifecycle = false): Download[] {
  return layers
    .filter(({ destination_path }) => withLifecycle || !isLifecycle(destination_path))
    .map(({ name, url, destination_path, layer_type, digest_algorithm, digest_value }) => {
      const shared = layer_type === 'SHARED';
      const algorithm = digest_algorithm === 'DigestAlgorithmInvalid' ? '' : digest_algorithm.toLowerCase();
      return {
        ...{ artifact: name, from: url, to: absolute(destination_path, 'vcap'), log_source },
        cache_key: digest_value === '' ? url : `${algorithm}:${digest_value}`,
        ...checksumOf(algorithm, digest_value, name || 'an image layer'),
        ...(shared ? { dependency: true } : {}),
      };
    });
}

export function ofAction(action: DownloadAction, log_source: string): Download {
  const { artifact, from, to, cache_key, user, checksum_algorithm, checksum_value } = action;
  return {
    ...{ artifact, from, to: absolute(to, user), cache_key, log_source },
    ...checksumOf(checksum_algorithm, checksum_value, artifact || 'a download'),
  };
}

export function isLifecycle(path: string): boolean {
  return posix.normalize(path).replace(/\/$/, '') === LIFECYCLE_DIR;
}

/** A relative destination is below the user's home. */
function absolute(to: string, user: string): string {
  return posix.resolve(user === 'root' || user === '' ? '/root' : `/home/${user}`, to);
}

function checksumOf(algorithm: string, value: string, what: string): Pick<Download, 'checksum'> {
  if (algorithm === '' || value === '') return {};
  const name = algorithm.toLowerCase();
  if (name !== 'md5' && name !== 'sha1' && name !== 'sha256') {
    throw new UnikError('definition_unsupported', `${what}: checksum ${algorithm} is none of md5, sha1, sha256`);
  }
  return { checksum: { algorithm: name, value } };
}
